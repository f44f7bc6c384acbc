//! Conflicts by their ids.

mod candidate;
mod get;
mod list;
mod many;
mod resolve;

use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::domain::reconcile::resolution::Resolution;
use crate::service::conflicts;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(many::resolve))
        .routes(routes!(get::get))
        .routes(routes!(candidate::get, candidate::put))
        .routes(routes!(resolve::resolve))
}

/// Which conflicts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `open` unless said otherwise.
    #[serde(default)]
    #[param(inline)]
    state: WhichState,
}

/// Conflicts in which state.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhichState {
    /// To be settled.
    #[default]
    Open,
    /// Settled by a resolution.
    Resolved,
    /// Gone by themselves.
    Obsolete,
    /// Any.
    All,
}

impl WhichState {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Obsolete => "obsolete",
            Self::All => "all",
        }
    }
}

/// What came of a resolution.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resolved {
    /// Where the conflict is.
    file_path: DrivePath,
    /// The way that was asked for.
    resolution: Resolution,
    /// False: nothing has changed, for the reason that `needs` names.
    resolved: bool,
    /// `upload`: PUT the client's content to the conflict's `candidate` and resolve again.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<&'static str>,
    /// The conflict's id.
    conflict_id: Uuid,
    /// Where `keep_both` put the client's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<DrivePath>,
}

impl From<conflicts::Resolved> for Resolved {
    fn from(made: conflicts::Resolved) -> Self {
        Self {
            file_path: made.path,
            resolution: made.resolution,
            resolved: made.resolved,
            needs: (!made.resolved).then_some("upload"),
            conflict_id: made.id,
            copy: made.copy,
        }
    }
}

/// How a conflict is to be settled.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ResolveConflict)]
pub struct How {
    /// The way.
    resolution: Resolution,
    /// What the person saw on the server, null for nothing: 409 if it is something else by now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ContentHash>)]
    server_hash: Option<Option<ContentHash>>,
}

impl From<How> for conflicts::Resolving {
    fn from(how: How) -> Self {
        Self { resolution: how.resolution, seen: how.server_hash }
    }
}

/// Tells a field that is null from one that is absent.
///
/// # Errors
/// The field's own.
pub fn given<'de, T, D>(field: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(field).map(Some)
}

//! The drives that the caller may see.

mod get;
mod list;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::drives::Right;
use crate::http::time::Timestamp;
use crate::service::drives::Shown;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(get::get))
}

/// A drive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drive {
    /// Its id.
    id: Uuid,
    /// Its name, unique among its owner's.
    name: String,
    /// `nas`, `usb`, `internal`, `network` or `cloud`.
    kind: String,
    /// Says that it is the same drive wherever it is seen.
    unique_identifier: String,
    /// What the caller may do: `view`, `edit` or `own`.
    right: &'static str,
    /// `online`, `offline`, or `degraded`: it can be read but takes no changes now.
    state: &'static str,
    /// Why it is offline or degraded.
    reason: Option<String>,
    /// Names what it holds now: another token, another content.
    head: Option<Uuid>,
    /// Since when it exists here.
    created_at: Timestamp,
}

impl From<Shown> for Drive {
    fn from(shown: Shown) -> Self {
        let (drive, right) = (shown.visible.drive, shown.visible.right);
        let (state, reason) = match (shown.offline, drive.degraded) {
            (Some(why), _) => ("offline", Some(why)),
            (None, Some(why)) => ("degraded", Some(why)),
            (None, None) => ("online", None),
        };
        Self {
            id: drive.uuid,
            name: drive.name,
            kind: drive.kind,
            unique_identifier: drive.unique_identifier,
            right: match right {
                Right::View => "view",
                Right::Edit => "edit",
                Right::Own => "own",
            },
            state,
            reason,
            head: shown.head,
            created_at: Timestamp(drive.created_at),
        }
    }
}

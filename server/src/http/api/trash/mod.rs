//! What was deleted and can come back.

mod list;
mod restore;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::entry::Entry;
use crate::http::time::Timestamp;
use crate::service::trash;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(restore::restore))
}

/// Something deleted. A folder stands for all that was in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// What it was, and where.
    #[serde(flatten)]
    entry: Entry,
    /// When it was deleted.
    deleted_at: Option<Timestamp>,
}

impl From<trash::Deleted> for Deleted {
    fn from(deleted: trash::Deleted) -> Self {
        Self {
            deleted_at: deleted.node.deleted_at.map(Timestamp),
            entry: Entry::new(deleted.path, &deleted.node),
        }
    }
}

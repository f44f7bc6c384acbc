//! `GET /api/drives/{drive}/nodes/{id}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::entry::Entry;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;
use crate::service::history::{self, Found};

/// A file or folder, live or deleted.
#[derive(Serialize, ToSchema)]
pub struct Node {
    /// Where it is, or was when it was deleted.
    #[serde(flatten)]
    entry: Entry,
    /// Whether it is there now; false: it or a folder above it was deleted.
    live: bool,
    /// Since when it is deleted itself.
    deleted_at: Option<Timestamp>,
}

impl From<Found> for Node {
    fn from(found: Found) -> Self {
        let node = found.node;
        Self {
            entry: Entry::new(found.path, &node),
            live: found.is_live,
            deleted_at: node.deleted_at.filter(|_| node.is_dead()).map(Timestamp),
        }
    }
}

/// Shows a file or folder by its id, wherever it is now.
#[utoipa::path(get, path = "/api/drives/{drive}/nodes/{id}", tag = "versions",
    params(("drive" = String, Path, description = "A UUID or a name of the caller's"),
        ("id" = Uuid, Path, description = "The file's or folder's id")),
    responses((status = 200, body = Node)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path((drive, id)): Path<(String, Uuid)>,
) -> Result<Json<Node>, Problem> {
    Ok(Json(history::node(&app, &caller, drive, id).await?.into()))
}

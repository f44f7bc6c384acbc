//! `GET /api/drives/{drive}/versions/{id}/content`

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use uuid::Uuid;

use crate::app::App;
use crate::http::content;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::history;

/// Gets the content of a version, current or not, of a live file or a deleted one.
#[utoipa::path(get, path = "/api/drives/{drive}/versions/{id}/content", tag = "versions",
    params(("drive" = String, Path, description = "A UUID or a name of the caller's"),
        ("id" = Uuid, Path, description = "The version's id")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path((drive, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, opened) = history::content(&app, &caller, drive, id).await?;
    Ok(content::send(opened, &name, &Method::GET, &headers)?)
}

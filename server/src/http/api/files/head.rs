//! `HEAD /api/drives/{drive}/files/{path}`

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::get;
use crate::app::App;
use crate::http::content;
use crate::http::problem::Problem;
use crate::http::target::At;
use crate::service::caller::Caller;
use crate::service::drives::Reached;
use crate::service::listing;

/// Tells of a file's content what GET would, without the content.
///
/// Also of a file whose content is where its devices have it, as far as they told; `Holdfast-Placement: elsewhere` says so.
#[utoipa::path(head, path = "/api/drives/{drive}/files/{*path}", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
    ),
    responses((status = 200, description = "As GET"), (status = 304, description = "The client has it")))]
pub async fn head(
    state: State<App>,
    caller: Caller,
    at: At,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match state.0.drives.find(caller.user_id, Some(&at.drive)).await? {
        Reached::Here(..) => get::get(state, caller, at, method, headers).await,
        Reached::Elsewhere { root_node } => {
            let there = listing::entry_in(&state.0.db, root_node, &at.path).await?;
            Ok(content::told(&there, &headers)?)
        }
    }
}

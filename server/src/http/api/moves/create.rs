//! `POST /api/drives/{drive}/moves`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{NewTransfer, Transferred, answer, begin};
use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::files;

/// Moves or renames a file or a folder with all that is in it, in one step.
///
/// Something at the target is 409 unless `overwrite`; an empty folder gives way. 412 when `from` is not what `expect` says.
#[utoipa::path(post, path = "/api/drives/{drive}/moves", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same again within a day gets the same answer"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body = NewTransfer,
    responses((status = 200, description = "It is there now", body = Transferred)))]
pub async fn create(
    State(app): State<App>,
    caller: CallerOn,
    Path(drive): Path<String>,
    headers: HeaderMap,
    Json(new): Json<NewTransfer>,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    let act = ("moves", mounted.uuid, StatusCode::OK);
    let (who, transfer) = match begin(&app, act, caller.who(), &headers, new).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(answer),
    };
    let (from, to, drive) = (transfer.from.clone(), transfer.to.clone(), Arc::clone(&mounted));
    let done = app.act(async move { files::rename(&drive, who, transfer).await }).await?;
    Ok(answer(StatusCode::OK, from, to, &done))
}

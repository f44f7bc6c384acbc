//! `POST /api/drives/{drive}/copies`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::app::App;
use crate::http::api::moves::{NewTransfer, Transferred, answer, begin};
use crate::http::auth::CallerOn;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::files;

/// Copies a file or a folder with all that is in it; the copy appears whole or not at all.
///
/// Something at the target is 409 unless `overwrite`. 412 when `from` is not what `expect` says.
#[utoipa::path(post, path = "/api/drives/{drive}/copies", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same again within a day gets the same answer"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body = NewTransfer,
    responses((status = 201, description = "The copy is there", body = Transferred)))]
pub async fn create(
    State(app): State<App>,
    caller: CallerOn,
    Path(drive): Path<String>,
    headers: HeaderMap,
    Json(new): Json<NewTransfer>,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    let act = ("copies", mounted.uuid, StatusCode::CREATED);
    let (who, transfer) = match begin(&app, act, caller.who(), &headers, new).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(answer),
    };
    let (from, to, drive) = (transfer.from.clone(), transfer.to.clone(), Arc::clone(&mounted));
    let done = app.act(async move { files::copy(&drive, who, transfer).await }).await?;
    Ok(answer(StatusCode::CREATED, from, to, &done))
}

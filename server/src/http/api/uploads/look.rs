//! `HEAD /api/uploads/{upload}`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::http::tus::{self, Spoken};
use crate::service::uploads;

/// Tells where an upload stands.
///
/// A part that is still on its way is ended first, so that whoever asks can go on at once. An upload that is whole and is
/// not a file yet, because that was put off, becomes one, or the answer says why not.
#[utoipa::path(head, path = "/api/uploads/{upload}", tag = "uploads",
    params(
        ("upload" = Uuid, Path, description = "Its id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses((status = 200, description = "Where it stands", headers(
        ("Upload-Offset" = u64, description = "Bytes that have arrived and are durable"),
        ("Upload-Length" = u64, description = "Bytes of the whole"),
        ("Upload-Metadata" = String, description = "As it came"),
        ("Upload-Expires" = String, description = "When it is removed if nothing more arrives")))))]
pub async fn look(
    State(app): State<App>,
    caller: CallerOn,
    _: Spoken,
    Path(upload): Path<Uuid>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let standing = app.act(uploads::look(app.clone(), caller.who(), upload)).await?;
    Ok((StatusCode::OK, tus::described(&standing)))
}

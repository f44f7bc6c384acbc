//! `POST /api/volumes/{volume}/untrack`

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes;

/// Has the caller track a volume no longer; 404 `not-tracked`. The volume stays known.
#[utoipa::path(post, path = "/api/volumes/{volume}/untrack", tag = "volumes",
    params(("volume" = String, Path, description = "Its UUID or its fingerprint")),
    responses((status = 204)))]
pub async fn untrack(
    State(app): State<App>,
    caller: Caller,
    Path(volume): Path<String>,
) -> Result<StatusCode, Problem> {
    volumes::untrack(&app, &caller, volume).await?;
    Ok(StatusCode::NO_CONTENT)
}

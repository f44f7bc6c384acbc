//! `POST /api/volumes/{volume}/track`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Volume;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes;

/// Under what name.
#[derive(Deserialize, ToSchema)]
pub struct Track {
    /// What the caller calls it; without one, its own name.
    display_name: Option<String>,
}

/// Has the caller track a volume, also one that is offline. 409 `already-tracked`.
#[utoipa::path(post, path = "/api/volumes/{volume}/track", tag = "volumes",
    params(("volume" = String, Path, description = "Its UUID or its fingerprint")), request_body = Track,
    responses((status = 201, body = Volume)))]
pub async fn track(
    State(app): State<App>,
    caller: Caller,
    Path(volume): Path<String>,
    Json(body): Json<Track>,
) -> Result<(StatusCode, Json<Volume>), Problem> {
    let shown = volumes::track(&app, &caller, volume, body.display_name).await?;
    Ok((StatusCode::CREATED, Json(Volume::of(shown, false))))
}

//! `GET /api/volumes/{volume}`

use axum::extract::State;

use super::{Volume, WhichVolumes};
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes;

/// Shows a volume.
#[utoipa::path(get, path = "/api/volumes/{volume}", tag = "volumes",
    params(WhichVolumes, ("volume" = String, Path, description = "Its UUID or its fingerprint")),
    responses((status = 200, body = Volume)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(volume): Path<String>,
    Query(which): Query<WhichVolumes>,
) -> Result<Json<Volume>, Problem> {
    if which.raw {
        caller.require_admin()?;
    }
    Ok(Json(Volume::of(volumes::get(&app, &caller, volume).await?, which.raw)))
}

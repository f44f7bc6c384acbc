//! `POST /api/devices/{device_id}/drives-for-paths`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DriveForPath;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Which paths.
#[derive(Deserialize, ToSchema)]
pub struct WhichPaths {
    /// Absolute paths on the device, as the device writes them; at most 100.
    paths: Vec<String>,
}

/// What was found for a path.
#[derive(Serialize, ToSchema)]
pub struct FoundPath {
    /// The path that was asked for.
    path: String,
    /// The drive that it lies in; null when there is none, or it is no path on that device.
    found: Option<DriveForPath>,
    /// Why there is none.
    reason: Option<String>,
}

/// What was found, in the order that was asked for.
#[derive(Serialize, ToSchema)]
pub struct FoundPaths {
    /// One for each path.
    items: Vec<FoundPath>,
}

/// Tells which drives several paths on one of the caller's devices lie in, each as `drive-for-path` would.
#[utoipa::path(post, path = "/api/devices/{device_id}/drives-for-paths", tag = "mounts",
    params(("device_id" = String, Path, description = "What the device calls itself")),
    request_body = WhichPaths, responses((status = 200, body = FoundPaths)))]
pub async fn for_paths(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(body): Json<WhichPaths>,
) -> Result<Json<FoundPaths>, Problem> {
    let found = mounts::find_all(&app, &caller, device, body.paths.clone()).await?;
    let told = body.paths.into_iter().zip(found).map(|(path, found)| match found {
        Ok(found) => FoundPath { path, found: Some(found.into()), reason: None },
        Err(why) => FoundPath { path, found: None, reason: Some(why.public().to_owned()) },
    });
    Ok(Json(FoundPaths { items: told.collect() }))
}

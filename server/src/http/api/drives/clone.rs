//! `POST /api/drives/{drive}/clone`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::roots;

/// A copy of a drive.
#[derive(Deserialize, ToSchema)]
pub struct Copied {
    /// Absolute path of the copy on the server. It carries the signature of the drive that it was copied from.
    root: String,
    /// What it is called.
    name: String,
}

/// Makes a drive of its own of a copy of a drive (admins only): its signature gets a new id. 409 `another-drive` where that folder
/// is no copy, `still-there` where it may be the drive itself.
#[utoipa::path(post, path = "/api/drives/{drive}/clone", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), request_body = Copied,
    responses((status = 201, body = Drive)))]
pub async fn clone(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Json(body): Json<Copied>,
) -> Result<(StatusCode, Json<Drive>), Problem> {
    let shown = roots::clone(&app, &caller, drive, body.root, body.name).await?;
    Ok((StatusCode::CREATED, Json(shown.into())))
}

//! `POST /api/drives/{drive}/relocate`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::roots;

/// Where it is now.
#[derive(Deserialize, ToSchema)]
pub struct NewPlace {
    /// Absolute path of the folder on the server. It carries the drive's signature.
    root: String,
}

/// Says that a drive's folder or disk has another place on the server now (admins only). 409 `another-drive` where that folder is
/// not this drive, `still-there` where it is at its old place as well.
#[utoipa::path(post, path = "/api/drives/{drive}/relocate", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), request_body = NewPlace,
    responses((status = 200, body = Drive)))]
pub async fn relocate(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Json(body): Json<NewPlace>,
) -> Result<Json<Drive>, Problem> {
    Ok(Json(roots::relocate(&app, &caller, drive, body.root).await?.into()))
}

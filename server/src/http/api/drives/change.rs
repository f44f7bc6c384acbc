//! `PATCH /api/drives/{drive}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::manage::{self, Change};

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
pub struct DriveChange {
    /// Another name, unique among its owner's.
    name: Option<String>,
    /// Who provides it, for cloud drives.
    provider: Option<String>,
}

/// Gives a drive another name or provider (owners only). Its address by name changes with it; the one by id stays.
#[utoipa::path(patch, path = "/api/drives/{drive}", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), request_body = DriveChange,
    responses((status = 200, body = Drive)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Json(body): Json<DriveChange>,
) -> Result<Json<Drive>, Problem> {
    let change = Change { name: body.name, provider: body.provider };
    Ok(Json(manage::change(&app, &caller, drive, change).await?.into()))
}

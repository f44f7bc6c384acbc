//! `PUT /api/drives/{drive}/members/{username}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Members, Role};
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::members;

/// What they may do.
#[derive(Deserialize, ToSchema)]
pub struct Share {
    /// `editor`: look, read, and change; `viewer`: look and read.
    role: Role,
}

/// Shares a drive with somebody, or says anew what they may do (owners only).
#[utoipa::path(put, path = "/api/drives/{drive}/members/{username}", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name"),
        ("username" = String, Path, description = "What they sign in with")),
    request_body = Share, responses((status = 200, body = Members)))]
pub async fn share(
    State(app): State<App>,
    caller: Caller,
    Path((drive, username)): Path<(String, String)>,
    Json(body): Json<Share>,
) -> Result<Json<Members>, Problem> {
    Ok(Json(members::share(&app, &caller, drive, username, body.role.into()).await?.into()))
}

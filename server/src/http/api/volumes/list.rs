//! `GET /api/volumes`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Volume, WhichVolumes};
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes;

/// Volumes.
#[derive(Serialize, ToSchema)]
pub struct Volumes {
    /// By fingerprint.
    items: Vec<Volume>,
    /// Always null: one page has them all.
    next: Option<String>,
}

/// Lists the volumes that the server has seen, those that are offline too; or those that the caller tracks (001-14).
#[utoipa::path(get, path = "/api/volumes", tag = "volumes", params(WhichVolumes),
    responses((status = 200, body = Volumes)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(which): Query<WhichVolumes>,
) -> Result<Json<Volumes>, Problem> {
    if which.raw {
        caller.require_admin()?;
    }
    let shown = volumes::list(&app, &caller, which.tracked).await?;
    let items = shown.into_iter().map(|one| Volume::of(one, which.raw)).collect();
    Ok(Json(Volumes { items, next: None }))
}

//! `GET /api/drives`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Drive;
use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;

/// The drives that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drives {
    /// Own ones before shared ones, then by name.
    items: Vec<Drive>,
    /// Always null: they are few, and one page has them all.
    next: Option<String>,
}

/// Lists the drives that the caller may see, with what they may do and whether it can be reached now.
#[utoipa::path(get, path = "/api/drives", tag = "drives", responses((status = 200, body = Drives)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Drives>, Problem> {
    let shown = app.drives.shown(caller.user_id).await?;
    Ok(Json(Drives { items: shown.into_iter().map(Drive::from).collect(), next: None }))
}

//! `GET /api/me`

use axum::extract::State;

use super::Me;
use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// Shows the caller's own account.
#[utoipa::path(get, path = "/api/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Me>, Problem> {
    let user = users::own(&app, &caller).await?;
    Ok(Json(Me::new(user.into(), caller)))
}

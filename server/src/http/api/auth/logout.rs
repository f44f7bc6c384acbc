//! `POST /api/auth/logout`

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::sessions;

/// Ends the login that the access token belongs to.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
pub async fn logout(State(app): State<App>, caller: Caller) -> Result<StatusCode, Problem> {
    sessions::logout(&app, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

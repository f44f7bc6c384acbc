//! `POST /api/auth/refresh`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::sessions;

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub struct Refresh {
    /// From the last login or refresh.
    refresh_token: String,
}

/// Exchanges a refresh token for new tokens. Each works once; one that is used again ends its login.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", security(()), request_body = Refresh,
    responses((status = 200, body = Tokens)))]
pub async fn refresh(State(app): State<App>, Json(body): Json<Refresh>) -> Result<Json<Tokens>, Problem> {
    Ok(Json(sessions::refresh(&app, &body.refresh_token).await?.into()))
}

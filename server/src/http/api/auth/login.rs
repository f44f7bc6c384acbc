//! `POST /api/auth/login`

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use crate::app::App;
use crate::config::Secret;
use crate::http::auth::Peer;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::sessions;

/// An account's name and password.
#[derive(Deserialize, ToSchema)]
pub struct Login {
    /// What the account signs in with.
    username: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    password: String,
    /// The device that the login is bound to; registered under this name if it is not yet.
    device_id: Option<String>,
}

/// Signs in. Wrong passwords are limited per address and per account.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", security(()), request_body = Login,
    responses((status = 200, body = Tokens)))]
pub async fn login(
    State(app): State<App>,
    Peer(address): Peer,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Result<Json<Tokens>, Problem> {
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let login = sessions::Login {
        username: body.username,
        password: Secret::new(body.password),
        device_id: body.device_id,
        user_agent,
        address,
    };
    Ok(Json(sessions::login(&app, login).await?.into()))
}

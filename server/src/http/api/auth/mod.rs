//! Signing in and out.

mod login;
mod logout;
mod refresh;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::service::sessions;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
}

/// What proves later requests.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// For the header `Authorization: Bearer`.
    access_token: String,
    /// For `POST /api/auth/refresh`, once.
    refresh_token: String,
    /// `bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: u64,
}

impl From<sessions::Tokens> for Tokens {
    fn from(tokens: sessions::Tokens) -> Self {
        Self {
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            token_type: "bearer",
            expires_in: tokens.lifetime.as_secs(),
        }
    }
}

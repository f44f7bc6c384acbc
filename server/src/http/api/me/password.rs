//! `POST /api/me/password`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::config::Secret;
use crate::http::auth::Peer;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The one that counts now.
    #[schema(value_type = String, format = Password)]
    current_password: String,
    /// The one that is to count: 8 to 1024 bytes.
    #[schema(value_type = String, format = Password)]
    new_password: String,
}

/// Changes the caller's password. Their other logins end; app passwords stay.
#[utoipa::path(post, path = "/api/me/password", tag = "me", request_body = PasswordChange, responses((status = 204)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Peer(address): Peer,
    Json(body): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let (current, new) = (Secret::new(body.current_password), Secret::new(body.new_password));
    users::change_own_password(&app, &caller, address, current, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

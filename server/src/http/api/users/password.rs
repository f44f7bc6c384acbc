//! `POST /api/users/{user}/password`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::config::Secret;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// A new password for somebody.
#[derive(Deserialize, ToSchema)]
pub struct PasswordReset {
    /// 8 to 1024 bytes.
    #[schema(value_type = String, format = Password)]
    password: String,
}

/// Sets an account's password (admins only). Its logins end; its app passwords stay.
#[utoipa::path(post, path = "/api/users/{user}/password", tag = "users",
    params(("user" = Uuid, Path, description = "Its id")), request_body = PasswordReset, responses((status = 204)))]
pub async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<Uuid>,
    Json(body): Json<PasswordReset>,
) -> Result<StatusCode, Problem> {
    users::reset_password(&app, Some(&caller), user, Secret::new(body.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}

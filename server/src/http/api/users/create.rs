//! `POST /api/users`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Role, User};
use crate::app::App;
use crate::config::Secret;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users::{self, Wanted};

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewUser)]
pub struct Create {
    /// What it signs in with: 1 to 64 characters, no colon, no slash.
    username: String,
    /// Its password: 8 to 1024 bytes.
    #[schema(value_type = String, format = Password)]
    password: String,
    /// What people read; without one, the user name.
    display_name: Option<String>,
    /// What it may do; without one, `member`.
    role: Option<Role>,
}

/// Makes an account (admins only).
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = Create,
    responses((status = 201, body = User)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let wanted = Wanted {
        username: body.username,
        display_name: body.display_name,
        password: Secret::new(body.password),
        role: body.role.unwrap_or(Role::Member).into(),
    };
    let user = users::create(&app, Some(&caller), wanted).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

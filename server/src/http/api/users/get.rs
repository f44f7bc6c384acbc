//! `GET /api/users/{user}`

use axum::extract::State;
use uuid::Uuid;

use super::User;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// Shows an account (admins only).
#[utoipa::path(get, path = "/api/users/{user}", tag = "users", params(("user" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = User)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<Uuid>,
) -> Result<Json<User>, Problem> {
    Ok(Json(users::get(&app, &caller, user).await?.into()))
}

//! `PATCH /api/users/{user}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Role, User};
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// What is to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserChange)]
pub struct Change {
    /// What people read.
    display_name: Option<String>,
    /// What it may do.
    role: Option<Role>,
    /// Whether it may not sign in. Its logins end at once.
    disabled: Option<bool>,
}

/// Changes an account (admins only). The last admin stays one.
#[utoipa::path(patch, path = "/api/users/{user}", tag = "users", params(("user" = Uuid, Path, description = "Its id")),
    request_body = Change, responses((status = 200, body = User)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<Uuid>,
    Json(body): Json<Change>,
) -> Result<Json<User>, Problem> {
    let change = users::Change {
        display_name: body.display_name,
        role: body.role.map(Into::into),
        disabled: body.disabled,
    };
    Ok(Json(users::change(&app, &caller, user, change).await?.into()))
}

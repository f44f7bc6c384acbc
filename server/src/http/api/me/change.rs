//! `PATCH /api/me`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Me;
use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[schema(as = MeChange)]
pub struct Change {
    /// What people read: 1 to 128 characters.
    display_name: String,
}

/// Changes the caller's own account.
#[utoipa::path(patch, path = "/api/me", tag = "me", request_body = Change, responses((status = 200, body = Me)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Change>,
) -> Result<Json<Me>, Problem> {
    let user = users::rename_self(&app, &caller, &body.display_name).await?;
    Ok(Json(Me::new(user.into(), caller)))
}

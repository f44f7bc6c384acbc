//! The first account, by the code that the server printed at its start.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::Secret;
use crate::domain::accounts::Role;
use crate::http::api::users::User;
use crate::http::auth::Peer;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::setup;
use crate::service::users::Wanted;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// The first account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Setup {
    /// The code that the server printed at its start.
    code: String,
    /// What the account signs in with.
    username: String,
    /// Its password: 8 to 1024 bytes.
    #[schema(value_type = String, format = Password)]
    password: String,
    /// What people read; without one, the user name.
    display_name: Option<String>,
}

/// Makes the first account, an admin. Works once.
#[utoipa::path(post, path = "/api/setup", tag = "server", security(()), request_body = Setup,
    responses((status = 201, body = User)))]
pub async fn create(
    State(app): State<App>,
    Peer(address): Peer,
    Json(body): Json<Setup>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let wanted = Wanted {
        username: body.username,
        display_name: body.display_name,
        password: Secret::new(body.password),
        role: Role::Admin,
    };
    let user = setup::with_code(&app, address, &body.code, wanted).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

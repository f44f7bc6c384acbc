//! `POST /api/app-passwords`

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::app_passwords;
use crate::service::caller::Caller;

/// What the app password is for.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewAppPassword)]
pub struct Create {
    /// What its owner calls it.
    name: String,
    /// A registered device; the secret then speaks for that one alone and ends with it. A login that belongs to a device
    /// makes them for that one only, also where none is named.
    device_id: Option<String>,
}

/// A fresh app password.
#[derive(Serialize, ToSchema)]
pub struct CreatedAppPassword {
    /// Its id.
    id: Uuid,
    /// What its owner calls it.
    name: String,
    /// The device it is bound to.
    device_id: Option<String>,
    /// The secret, shown this once; hyphens and case do not matter.
    password: String,
    /// Since when.
    created_at: Timestamp,
}

/// Makes an app password for Basic. The secret is shown this once.
#[utoipa::path(post, path = "/api/app-passwords", tag = "app-passwords", request_body = Create,
    responses((status = 201, body = CreatedAppPassword)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<CreatedAppPassword>), Problem> {
    let made = app_passwords::create(&app, &caller, &body.name, body.device_id).await?;
    let shown = CreatedAppPassword {
        id: made.uuid,
        name: made.name,
        device_id: made.device_id,
        password: made.password,
        created_at: Timestamp(made.created_at),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

//! `POST /api/sync/register`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::sync::{self, Registering};

/// A device that makes itself known.
#[derive(Deserialize, ToSchema)]
#[schema(as = RegisterDevice)]
pub struct Register {
    /// What it calls itself: chosen once and kept, unique per user.
    #[schema(example = "iphone-12345", min_length = 1, max_length = 128)]
    device_id: String,
    /// What its owner calls it; as it calls itself when absent.
    #[schema(example = "iPhone XS")]
    device_name: Option<String>,
    /// Its operating system: names that this cannot hold are told as `unsyncable`.
    platform: Option<String>,
    /// Forget what it ever held, for instance after it was installed anew.
    #[serde(default)]
    reset: bool,
}

/// A registered device.
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredDevice)]
pub struct Registered {
    device_id: String,
    device_name: String,
    /// `registered`.
    status: &'static str,
    /// The last token issued to it for the home drive.
    change_token: String,
}

/// Registers a device, or renames a known one, which keeps its state. May be repeated.
#[utoipa::path(post, path = "/api/sync/register", tag = "sync", request_body = Register,
    responses((status = 200, body = Registered)))]
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Register>,
) -> Result<Json<Registered>, Problem> {
    let Register { device_id, device_name, platform, reset } = body;
    let made = sync::register(&app, &caller, Registering { device_id, device_name, platform, reset }).await?;
    Ok(Json(Registered {
        device_id: made.device_id,
        device_name: made.device_name,
        status: "registered",
        change_token: made.change_token,
    }))
}

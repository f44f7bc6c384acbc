//! The caller's devices. `POST /api/sync/register` and a login that names one make them.

mod get;
mod list;
mod rename;
mod revoke;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::devices;
use crate::http::time::Timestamp;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(get::get, rename::rename, revoke::revoke))
}

/// A registered device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    /// Its id.
    id: Uuid,
    /// What it calls itself, unique per user.
    device_id: String,
    /// What its owner calls it.
    device_name: String,
    /// Its operating system, if it said.
    platform: Option<String>,
    /// Since when it is registered.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
    /// When it was last heard of.
    last_seen_at: Option<Timestamp>,
    /// Since when its credentials count no more.
    revoked_at: Option<Timestamp>,
}

impl From<devices::Device> for Device {
    fn from(device: devices::Device) -> Self {
        Self {
            id: device.uuid,
            device_id: device.device_id,
            device_name: device.name,
            platform: device.platform,
            created_at: Timestamp(device.created_at),
            updated_at: Timestamp(device.updated_at),
            last_seen_at: device.last_seen_at.map(Timestamp),
            revoked_at: device.revoked_at.map(Timestamp),
        }
    }
}

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Revoked ones too.
    #[serde(default)]
    revoked: bool,
}

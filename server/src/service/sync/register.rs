//! `POST /api/sync/register`: makes a device known (003-02, 003-03).

use uuid::Uuid;

use crate::app::App;
use crate::catalog::agreements;
use crate::catalog::events::{self, NewEvent};
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::service::{devices, drives};

/// A device that makes itself known.
#[derive(Debug, Clone)]
pub struct Registering {
    /// Its own name for itself, unique per user.
    pub device_id: String,
    /// What its owner calls it; `None`: as it calls itself.
    pub device_name: Option<String>,
    /// Its operating system, if it says.
    pub platform: Option<String>,
    /// Forget what it ever held (algorithms B rule e).
    pub reset: bool,
}

/// A device as registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its own name for itself.
    pub device_id: String,
    /// What its owner calls it.
    pub device_name: String,
    /// The last change token issued to it for the home drive.
    pub change_token: String,
}

/// Registers a device, or renames a known one, which keeps its state unless it asks for a reset.
///
/// # Errors
/// 403 for a credential of another device, 422 for names that cannot be; the catalogue's.
pub async fn register(app: &App, caller: &Caller, registering: Registering) -> Result<Registration> {
    let (caller, now, fresh) = (caller.clone(), app.clock.now(), Uuid::new_v4().to_string());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let Registering { device_id, device_name, platform, reset } = registering;
                let name = device_name.unwrap_or_else(|| device_id.clone());
                let platform = platform.as_deref();
                let (device, _) = devices::register(tx, &caller, &device_id, &name, platform, now).await?;
                let home = drives::named(tx, caller.user_id, None).await?.drive.id;
                if reset {
                    agreements::reset(tx, device.id, now).await?;
                    let event = NewEvent {
                        at: now,
                        actor_id: Some(caller.user_id),
                        device_id: Some(device.id),
                        kind: "device-reset",
                        ..NewEvent::default()
                    };
                    events::add(tx, event).await?;
                }
                if agreements::state_of(tx, device.id, home).await?.is_none() {
                    agreements::ensure_state(tx, device.id, home, &fresh, now).await?;
                }
                let state = agreements::state_of(tx, device.id, home).await?;
                let state = state.ok_or_else(|| Error::internal("a device without its state"))?;
                Ok(Registration {
                    device_id: device.device_id,
                    device_name: device.name,
                    change_token: state.token,
                })
            })
        })
        .await
}

//! Sync of devices that keep no base (document 003; algorithms B): registering, the answer to a manifest, and where a
//! device stands. What is decided lies in `domain::reconcile`; here it is read, asked and written.

mod changes;
mod conflicts;
mod reading;
mod register;
mod status;
mod world;

pub use changes::changes;
pub use reading::{Heard, Told, read_manifest};
pub use register::{Registering, Registration, register};
pub use status::{Pending, Status, status};

use crate::app::App;
use crate::catalog::devices::Device;
use crate::error::Result;
use crate::service::caller::Caller;
use crate::service::devices;

/// The caller's registered device of that name.
///
/// # Errors
/// 404 `unknown-device`, 403 `other-device`.
async fn of_caller(app: &App, caller: &Caller, device_id: &str) -> Result<Device> {
    let (user, name) = (caller.user_id, device_id.to_owned());
    let device = app.db.read(move |tx| Box::pin(async move { devices::find(tx, user, &name).await })).await?;
    devices::permits(caller, device_id)?;
    Ok(device)
}

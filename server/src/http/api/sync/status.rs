//! `GET /api/sync/status/{device_id}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::OfDrive;
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;
use crate::service::sync;

/// Where a device stands with a drive.
#[derive(Serialize, ToSchema)]
#[schema(as = SyncStatus)]
pub struct Status {
    device_id: String,
    device_name: String,
    /// `registered`.
    status: &'static str,
    /// When it last told what it holds; null: never.
    last_sync: Option<Timestamp>,
    /// The last token issued to it; null: it never synced this drive.
    last_change_token: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// What a plan would tell it now, by what it told last; null while the drive is offline.
    pending: Option<Pending>,
    /// How many of its conflicts are open.
    open_conflicts: usize,
}

/// How much a plan would tell.
#[derive(Serialize, ToSchema)]
#[schema(as = SyncPending)]
pub struct Pending {
    /// To get from the server.
    downloads: usize,
    /// To send to the server.
    uploads: usize,
    /// To delete, on either side.
    deletes: usize,
    /// To be settled.
    conflicts: usize,
}

impl From<sync::Status> for Status {
    fn from(found: sync::Status) -> Self {
        let (device, state) = (found.device, found.state);
        let changed = state.as_ref().map_or(device.updated_at, |state| state.updated_at);
        Self {
            device_id: device.device_id,
            device_name: device.name,
            status: "registered",
            last_sync: state.as_ref().and_then(|state| state.last_sync).map(Timestamp),
            last_change_token: state.map(|state| state.token),
            created_at: Timestamp(device.created_at),
            updated_at: Timestamp(changed.max(device.updated_at)),
            pending: found.pending.map(Pending::from),
            open_conflicts: found.open_conflicts,
        }
    }
}

impl From<sync::Pending> for Pending {
    fn from(pending: sync::Pending) -> Self {
        let sync::Pending { downloads, uploads, deletes, conflicts } = pending;
        Self { downloads, uploads, deletes, conflicts }
    }
}

/// Says where one of the caller's devices stands. Changes nothing.
#[utoipa::path(get, path = "/api/sync/status/{device_id}", tag = "sync",
    params(("device_id" = String, Path, description = "What it calls itself"), OfDrive),
    responses((status = 200, body = Status)))]
pub async fn status(
    State(app): State<App>,
    caller: Caller,
    Path(device_id): Path<String>,
    Query(of): Query<OfDrive>,
) -> Result<Json<Status>, Problem> {
    Ok(Json(sync::status(&app, &caller, &device_id, of.drive).await?.into()))
}

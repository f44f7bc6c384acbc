//! `GET /api/drives`

use std::collections::HashMap;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Drive, Include};
use crate::app::App;
use crate::catalog::mounts::Mount;
use crate::error::Error;
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// The drives that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drives {
    /// Own ones before shared ones, then by name.
    items: Vec<Drive>,
    /// Always null: they are few, and one page has them all.
    next: Option<String>,
}

/// Lists the drives that the caller may see, with what they may do and whether it can be reached now.
#[utoipa::path(get, path = "/api/drives", tag = "drives", params(Include), responses((status = 200, body = Drives)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Include>,
) -> Result<Json<Drives>, Problem> {
    let with_mounts = match asked.include.as_deref() {
        None | Some("") => false,
        Some("mounts") => true,
        Some(_) => return Err(Error::invalid("what can be included is `mounts`").into()),
    };
    let shown = app.drives.shown(caller.user_id).await?;
    let mut items: Vec<Drive> = shown.into_iter().map(Drive::from).collect();
    if with_mounts {
        let mut of: HashMap<Uuid, Vec<Mount>> = HashMap::new();
        for mount in mounts::of_drives(&app, &caller).await? {
            of.entry(mount.drive_uuid).or_default().push(mount);
        }
        let with_own = |drive: Drive| {
            let own = of.remove(&drive.id).unwrap_or_default();
            drive.with(own)
        };
        items = items.into_iter().map(with_own).collect();
    }
    Ok(Json(Drives { items, next: None }))
}

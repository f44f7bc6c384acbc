//! `POST /api/volumes/refresh`

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::volumes;

/// What a look has found.
#[derive(Serialize, ToSchema)]
pub struct FoundVolumes {
    /// Fingerprints under `added`, `removed`, `mounted`, `unmounted` and `updated`, as far as there are any.
    changed: BTreeMap<&'static str, Vec<String>>,
    /// What could not be looked at, in sentences for people.
    problems: Vec<String>,
}

/// Looks at the machine's volumes now, and tells what has changed since the last look (admins only). The server looks by itself
/// when something is mounted, and every `volumes.refresh_interval` seconds.
#[utoipa::path(post, path = "/api/volumes/refresh", tag = "volumes",
    responses((status = 200, body = FoundVolumes)))]
pub async fn refresh(State(app): State<App>, caller: Caller) -> Result<Json<FoundVolumes>, Problem> {
    caller.require_admin()?;
    let found = volumes::refresh(&app, Some(caller.user_id)).await?;
    Ok(Json(FoundVolumes { changed: found.changed, problems: found.problems }))
}

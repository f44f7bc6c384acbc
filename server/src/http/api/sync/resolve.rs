//! `POST /api/sync/conflicts/{path}/resolve`

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use holdfast_protocol::ContentHash;
use serde::Deserialize;
use utoipa::ToSchema;

use super::entry_in;
use crate::app::App;
use crate::domain::reconcile::resolution::Resolution;
use crate::error::Error;
use crate::http::api::conflicts::{Resolved, given};
use crate::http::auth::CallerOn;
use crate::http::entry::placement;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::http::target::path_in;
use crate::service::conflicts::{self, ByPath, Resolving};

/// How the conflict at a path is to be settled.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResolveByPath)]
pub struct Resolve {
    /// The path again; it must be the one in the address.
    file_path: Option<String>,
    /// The way.
    resolution: Resolution,
    /// Whose conflict, when several devices have one there; so says the header `Holdfast-Device`, too.
    device_id: Option<String>,
    /// What the person saw on the server, null for nothing: 409 if it is something else by now.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ContentHash>)]
    server_hash: Option<Option<ContentHash>>,
    /// The drive, a UUID or a name; the home drive when absent.
    drive: Option<String>,
}

/// Settles the open conflict at a path. `{path}` may carry `/` raw or as `%2F`.
#[utoipa::path(post, path = "/api/sync/conflicts/{*path}", tag = "sync", request_body = Resolve,
    params(("path" = String, Path, description = "The path of the file, and then `/resolve`")),
    responses((status = 200, body = Resolved)))]
pub async fn resolve(
    State(app): State<App>,
    CallerOn(caller, device, _): CallerOn,
    uri: Uri,
    Json(body): Json<Resolve>,
) -> Result<(HeaderMap, Json<Resolved>), Problem> {
    let path = entry_in(&uri, "/api/sync/conflicts/", "/resolve")?;
    if let Some(named) = &body.file_path
        && path_in(named)? != path
    {
        return Err(Error::malformed("file_path is not the path in the address").into());
    }
    let device_id = body.device_id.or(device.map(|device| device.device_id));
    let at = ByPath { drive: body.drive, path, device_id };
    let how = Resolving { resolution: body.resolution, seen: body.server_hash };
    let resolved = conflicts::resolve_by_path(&app, &caller, at, how).await?;
    Ok((placement(resolved.placed), Json(resolved.into())))
}

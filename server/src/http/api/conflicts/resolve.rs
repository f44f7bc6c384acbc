//! `POST /api/conflicts/{id}/resolve`

use axum::extract::State;
use axum::http::HeaderMap;
use uuid::Uuid;

use super::{How, Resolved};
use crate::app::App;
use crate::http::entry::placement;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::conflicts;

/// Settles a conflict. The next plan tells the device what is left to do.
#[utoipa::path(post, path = "/api/conflicts/{id}/resolve", tag = "conflicts", request_body = How,
    params(("id" = Uuid, Path, description = "The conflict's id")),
    responses((status = 200, body = Resolved)))]
pub async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(how): Json<How>,
) -> Result<(HeaderMap, Json<Resolved>), Problem> {
    let resolved = conflicts::resolve(&app, &caller, id, how.into()).await?;
    Ok((placement(resolved.placed), Json(resolved.into())))
}

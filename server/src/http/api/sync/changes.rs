//! `POST /api/sync/changes`

use axum::extract::State;
use holdfast_protocol::manifest::ChangesRequest;
use holdfast_protocol::plan::Plan;

use crate::app::App;
use crate::http::extract::{Json, JsonStream};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::sync::{self, Told};

/// Tells what a device holds and answers with a plan. Without `change_token` the list is whole; with one it says what
/// changed since, unless `complete` is true. Changes no content.
#[utoipa::path(post, path = "/api/sync/changes", tag = "sync", request_body = ChangesRequest,
    responses((status = 200, body = Plan)))]
pub async fn changes(
    State(app): State<App>,
    caller: Caller,
    JsonStream(body): JsonStream,
) -> Result<Json<Plan>, Problem> {
    let limits = app.config.limits;
    let told = Told {
        body: body.into_data_stream(),
        limit: limits.manifest_body,
        entries: usize::try_from(limits.manifest_entries).unwrap_or(usize::MAX),
    };
    let heard = sync::read_manifest(told).await?;
    Ok(Json(sync::changes(&app, &caller, heard).await?))
}

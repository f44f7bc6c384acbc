//! `POST /api/drives/{drive}/trash/{id}/restore`

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use holdfast_protocol::DrivePath;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::entry::{Entry, placement};
use crate::http::extract::{Json, Path, parse};
use crate::http::problem::Problem;
use crate::service::trash;

/// Where to.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct Whereto {
    /// Another path than where it was.
    to: Option<DrivePath>,
}

/// Brings something deleted back: a file as a new version with its last content, a folder with all that was in it.
///
/// Missing folders above are made. Something else at the target is 409.
#[utoipa::path(post, path = "/api/drives/{drive}/trash/{id}/restore", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("id" = Uuid, Path, description = "Its id, from the list"),
    ),
    request_body(content = Option<Whereto>, description = "May be absent"),
    responses((status = 201, description = "It is back", body = Entry)))]
pub async fn restore(
    State(app): State<App>,
    caller: CallerOn,
    Path((drive, id)): Path<(String, Uuid)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let Whereto { to } = if body.is_empty() { Whereto::default() } else { parse(&body)? };
    let (_, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    let (who, drive) = (caller.who(), Arc::clone(&mounted));
    let (path, done) = app.act(async move { trash::restore(&drive, who, id, to).await }).await?;
    Ok((StatusCode::CREATED, placement(done.placed), Json(Entry::new(path, &done.value.node)))
        .into_response())
}

//! `POST /api/drives/{drive}/folders`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use holdfast_protocol::DrivePath;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::entry::{Entry, placement};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::files;

/// A folder to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewFolder {
    /// Where.
    path: DrivePath,
    /// Make missing folders above; yes when absent.
    #[serde(default = "yes")]
    parents: bool,
}

fn yes() -> bool {
    true
}

/// Makes a folder. One that is there already is fine: the answer is the same, so the request may be repeated.
#[utoipa::path(post, path = "/api/drives/{drive}/folders", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body = NewFolder,
    responses((status = 201, description = "The folder is there", body = Entry)))]
pub async fn create(
    State(app): State<App>,
    caller: CallerOn,
    Path(drive): Path<String>,
    Json(new): Json<NewFolder>,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    let (who, path, drive) = (caller.who(), new.path.clone(), Arc::clone(&mounted));
    let done = app.act(async move { files::make_folder(&drive, who, path, new.parents, true).await }).await?;
    let entry = Entry::new(new.path, &done.value.node);
    Ok((StatusCode::CREATED, placement(done.placed), Json(entry)).into_response())
}

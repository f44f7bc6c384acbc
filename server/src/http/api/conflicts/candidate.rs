//! `GET` and `PUT /api/conflicts/{id}/candidate`

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::http::content;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::conflicts::{self, View};

/// Gets the client's content of a conflict, also of one that is closed.
#[utoipa::path(get, path = "/api/conflicts/{id}/candidate", tag = "conflicts",
    params(("id" = Uuid, Path, description = "The conflict's id")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, opened) = conflicts::read_candidate(&app, &caller, id).await?;
    Ok(content::send(opened, &name, &Method::GET, &headers)?)
}

/// Sends the client's content of an open conflict, so that it can be resolved by `create_version` or `keep_both`.
#[utoipa::path(put, path = "/api/conflicts/{id}/candidate", tag = "conflicts",
    params(("id" = Uuid, Path, description = "The conflict's id")),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 200, body = View)))]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<View>, Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let broken = |error| Error::malformed("the body could not be read to its end").because(error);
    let bytes = body.into_data_stream().map_err(broken);
    let conflict = conflicts::keep(&app, &caller, id, length, bytes).await?;
    Ok(Json(View::try_from(&conflict)?))
}

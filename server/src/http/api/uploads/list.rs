//! `GET /api/uploads`

use axum::extract::State;
use holdfast_protocol::{ContentHash, DrivePath};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;
use crate::service::uploads;

/// An upload that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// Its id: it is `/api/uploads/{id}`.
    id: Uuid,
    /// The drive.
    drive: Uuid,
    /// The file it is to become.
    path: DrivePath,
    /// Bytes of the whole.
    size: u64,
    /// Bytes that are durable; more may have arrived.
    offset: u64,
    /// The hash of the whole, if its sender said it.
    hash: Option<ContentHash>,
    /// `Upload-Metadata` as it came.
    metadata: String,
    /// When it is removed if nothing more arrives.
    expires_at: Timestamp,
}

/// Lists the caller's uploads that are under way, oldest first: whoever has forgotten where one was finds it here.
#[utoipa::path(get, path = "/api/uploads", tag = "uploads", params(PageQuery),
    responses((status = 200, body = Page<Upload>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Upload>>, Problem> {
    let limit = page.limit();
    let found = uploads::list(&app, caller.user_id, page.after_id()?, limit).await?;
    Ok(Json(Page::by_id(
        found,
        limit,
        |(row, _)| row.id,
        |(row, meant)| Upload {
            id: row.uuid,
            drive: row.drive,
            path: meant.path,
            size: row.size.cast_unsigned(),
            offset: row.durable.cast_unsigned(),
            hash: meant.hash,
            metadata: row.metadata,
            expires_at: Timestamp(row.expires_at),
        },
    )))
}

//! `GET /api/app-passwords`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::catalog;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::app_passwords;
use crate::service::caller::Caller;

/// An app password; its secret is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppPassword {
    /// Its id.
    id: Uuid,
    /// What its owner calls it.
    name: String,
    /// The device it is bound to.
    device_id: Option<String>,
    /// Since when.
    created_at: Timestamp,
    /// When it was last used, to some minutes.
    last_used_at: Option<Timestamp>,
}

impl From<catalog::app_passwords::AppPassword> for AppPassword {
    fn from(row: catalog::app_passwords::AppPassword) -> Self {
        Self {
            id: row.uuid,
            name: row.name,
            device_id: row.device_id,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
        }
    }
}

/// Lists the caller's app passwords that count.
#[utoipa::path(get, path = "/api/app-passwords", tag = "app-passwords", params(PageQuery),
    responses((status = 200, body = Page<AppPassword>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AppPassword>>, Problem> {
    let limit = page.limit();
    let rows = app_passwords::list(&app, &caller, page.after_id()?, limit).await?;
    Ok(Json(Page::by_id(rows, limit, |row| row.id, AppPassword::from)))
}

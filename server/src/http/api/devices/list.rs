//! `GET /api/devices`

use axum::extract::State;

use super::{Device, Which};
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::devices;

/// Lists the caller's devices in the order they were registered.
#[utoipa::path(get, path = "/api/devices", tag = "devices", params(PageQuery, Which),
    responses((status = 200, body = Page<Device>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
    Query(which): Query<Which>,
) -> Result<Json<Page<Device>>, Problem> {
    let limit = page.limit();
    let rows = devices::list(&app, &caller, page.after_id()?, which.revoked, limit).await?;
    Ok(Json(Page::by_id(rows, limit, |device| device.id, Device::from)))
}

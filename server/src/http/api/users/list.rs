//! `GET /api/users`

use axum::extract::State;

use super::User;
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::users;

/// Lists accounts in the order they were made (admins only).
#[utoipa::path(get, path = "/api/users", tag = "users", params(PageQuery),
    responses((status = 200, body = Page<User>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<User>>, Problem> {
    let limit = page.limit();
    let rows = users::list(&app, &caller, page.after_id()?, limit).await?;
    Ok(Json(Page::by_id(rows, limit, |user| user.id, User::from)))
}

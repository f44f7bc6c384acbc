//! `GET /api/conflicts`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Which;
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::conflicts::{self, View};

/// A page of conflicts.
#[derive(Serialize, ToSchema)]
#[schema(as = Conflicts)]
pub struct Conflicts {
    /// In the order in which they were opened.
    conflicts: Vec<View>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// Lists conflicts: of the caller's drives, and of the caller's devices in drives that others share with them.
#[utoipa::path(get, path = "/api/conflicts", tag = "conflicts", params(Which, PageQuery),
    responses((status = 200, body = Conflicts)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Conflicts>, Problem> {
    let limit = page.limit();
    let rows = conflicts::list(&app, &caller, which.state.word(), page.after_id()?, limit).await?;
    let Page { items, next } = Page::by_id(rows, limit, |row| row.id, |row| View::try_from(&row));
    Ok(Json(Conflicts { conflicts: items.into_iter().collect::<Result<_, _>>()?, next }))
}

//! `GET /api/drives/{drive}/changes`

use axum::extract::State;
use holdfast_protocol::feed::{DEFAULT_LIMIT, FeedPage, MAX_LIMIT};

use super::Since;
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::feed;

/// Tells what a drive holds, in the order in which it changed: each file and folder once, as it is now.
///
/// Whoever applies every page to a tree by ids holds what the drive holds as soon as `more` is false. Without `since` what is
/// deleted is left out of the first page. A token that names no change of this drive any more is no error: the answer
/// begins anew and says `reset`.
#[utoipa::path(get, path = "/api/drives/{drive}/changes", tag = "sync",
    params(Since, ("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = FeedPage)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Query(asked): Query<Since>,
) -> Result<Json<FeedPage>, Problem> {
    let (_, mounted) = app.drives.reach(caller.user_id, Some(&drive)).await?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let since = asked.since.filter(|token| !token.is_empty());
    Ok(Json(feed::page(&mounted, since, limit).await?))
}

//! `GET /api/jobs`

use axum::extract::State;

use super::{Job, WhichJobs};
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::jobs;

/// Lists jobs, the newest first: admins see all, others those that they began. For admins the first page begins with what the
/// server does all the time, which does not count for `limit`. The newest 500 that have ended are kept.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", params(WhichJobs, PageQuery),
    responses((status = 200, body = Page<Job>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(which): Query<WhichJobs>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    let (limit, cursor) = (page.limit(), page.after_id()?);
    let before = (cursor > 0).then_some(cursor);
    let listed = jobs::list(&app, &caller, which.asked()?, before, limit).await?;
    let mut page = Page::by_id(listed.jobs, limit, |shown| shown.job.id, Job::from);
    page.items.splice(..0, listed.standing.into_iter().map(Job::from));
    Ok(Json(page))
}

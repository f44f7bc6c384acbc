//! `POST /api/jobs/{id}/resume`

use axum::extract::State;
use uuid::Uuid;

use super::{Accepted, Job, accepted};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::jobs;

/// Goes on with a job that was interrupted; the caller needs the right that beginning it needs. 409 `not-interrupted`,
/// `not-resumable`, or what stands in the way of its kind.
#[utoipa::path(post, path = "/api/jobs/{id}/resume", tag = "jobs",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, body = Job, headers(("Location" = String, description = "The job")))))]
pub async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Accepted, Problem> {
    Ok(accepted(jobs::resume(&app, &caller, id).await?))
}

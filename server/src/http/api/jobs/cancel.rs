//! `POST /api/jobs/{id}/cancel`

use axum::extract::State;
use uuid::Uuid;

use super::{Accepted, Job, accepted};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::jobs;

/// Asks for a job to be ended. One that is being worked at ends when its work comes to where it can; one that waits or was
/// interrupted is ended by that. 409 `job-ended`, and `not-cancellable` for what the server does all the time.
#[utoipa::path(post, path = "/api/jobs/{id}/cancel", tag = "jobs",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, body = Job, headers(("Location" = String, description = "The job")))))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Accepted, Problem> {
    Ok(accepted(jobs::cancel(&app, &caller, id).await?))
}

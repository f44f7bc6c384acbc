//! `GET /api/jobs/{id}`

use axum::extract::State;
use uuid::Uuid;

use super::Job;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::jobs;

/// Shows a job: how it stands and how far it is, as of now. To follow one, ask again; it costs little. When it has ended the
/// activity log says so (`job-finished` and the like), also in the stream of events.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = Uuid, Path, description = "Its id")), responses((status = 200, body = Job)))]
pub async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Job>, Problem> {
    Ok(Json(jobs::get(&app, &caller, id).await?.into()))
}

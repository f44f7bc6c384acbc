//! What each kind of job does. A new kind is a word in `domain::jobs`, and a line in each function here.

use serde_json::Value;

use super::run::Work;
use crate::app::App;
use crate::catalog::jobs::Job;
use crate::domain::jobs::Kind;
use crate::error::Result;
use crate::service::caller::Caller;
use crate::service::volumes::speed_test;

/// The work of a job that was interrupted, if the caller may have it done and nothing stands in its way.
///
/// # Errors
/// The kind's own.
pub(super) async fn prepare(app: &App, caller: &Caller, kind: Kind, params: &Value) -> Result<Work> {
    match kind {
        Kind::SpeedTest => speed_test::prepare(app, caller, params).await,
    }
}

/// Removes what a job may have left lying about when its process died.
pub(super) async fn tidy_up(app: &App, job: &Job) {
    let Some(kind) = Kind::parse(&job.kind) else { return };
    match kind {
        Kind::SpeedTest => speed_test::tidy_up(app, &job.params).await,
    }
}

//! The activity log, for people.

use super::caller::Caller;
use crate::app::App;
use crate::catalog::events::{self, Line};
use crate::domain::accounts::Role;
use crate::error::Result;

/// Lines after a sequence number, oldest first: an admin's are all, others see what they did and what happened in
/// their drives.
///
/// # Errors
/// The catalogue's.
pub async fn list(app: &App, caller: &Caller, after: i64, limit: i64) -> Result<Vec<Line>> {
    let (viewer, sees_all) = (caller.user_id, caller.role == Role::Admin);
    app.db.read(move |tx| Box::pin(events::after(tx, after, viewer, sees_all, limit))).await
}

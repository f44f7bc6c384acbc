//! Finding conflicts.

use uuid::Uuid;

use crate::app::App;
use crate::catalog::conflicts::{self, Conflict};
use crate::catalog::db::Tx;
use crate::catalog::drives;
use crate::error::{Error, Result};
use crate::service::caller::Caller;

/// Conflicts that the caller may see, in a state or `all`, after an internal key.
///
/// # Errors
/// The catalogue's.
pub async fn list(
    app: &App,
    caller: &Caller,
    state: &'static str,
    after: i64,
    limit: i64,
) -> Result<Vec<Conflict>> {
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(conflicts::list(tx, user, state, after, limit))).await
}

/// A conflict that the caller may see.
///
/// # Errors
/// 404 for any other; the catalogue's.
pub async fn by_id(app: &App, caller: &Caller, id: Uuid) -> Result<Conflict> {
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(find(tx, user, id))).await
}

async fn find(tx: &mut Tx, user: i64, id: Uuid) -> Result<Conflict> {
    let conflict = conflicts::by_uuid(tx, id).await?.filter(|found| found.is_for(user)).ok_or_else(absent)?;
    // Who no longer shares the drive sees nothing of it.
    drives::right(tx, conflict.drive_id, user).await?.ok_or_else(absent)?;
    Ok(conflict)
}

pub(super) fn absent() -> Error {
    Error::not_found("there is no such conflict")
}

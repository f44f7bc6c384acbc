//! Opening a conflict, or bringing an open one up to date. One device has at most one open conflict at a path.

use serde_json::{Map, Value};

use crate::catalog::conflicts::{self, Conflict, NewConflict};
use crate::catalog::db::Tx;
use crate::catalog::events::{self, NewEvent};
use crate::error::{Error, Result};
use crate::service::agreement;

/// Makes `new` the open conflict of its device at its path; `known` is the one that is open already. A candidate that
/// gives way to another content, or to none, becomes a version: nothing that was received is lost (algorithms B, acts).
///
/// # Errors
/// The catalogue's.
pub async fn open(
    tx: &mut Tx,
    root: i64,
    user: Option<i64>,
    known: Option<&Conflict>,
    new: &NewConflict<'_>,
) -> Result<Conflict> {
    let id = match known {
        Some(known) if !differs(known, new) => return Ok(known.clone()),
        Some(known) => {
            if let Some(old) = known.candidate_version_id.filter(|old| new.candidate != Some(*old)) {
                agreement::promote(tx, root, new.path, old, new.now).await?;
            }
            conflicts::refresh(tx, known.id, new).await?;
            known.id
        }
        None => {
            let id = conflicts::insert(tx, new).await?;
            log(tx, user, new).await?;
            id
        }
    };
    conflicts::by_id(tx, id).await?.ok_or_else(|| Error::internal("a conflict that is not there"))
}

fn differs(known: &Conflict, new: &NewConflict<'_>) -> bool {
    (known.client(), known.server(), known.base()) != (Some(new.client), new.server, new.base)
        || known.candidate_version_id != new.candidate
        || known.blocked_by.as_deref() != new.blocked_by
}

async fn log(tx: &mut Tx, user: Option<i64>, new: &NewConflict<'_>) -> Result<()> {
    let mut detail = Map::new();
    detail.insert("client_hash".to_owned(), Value::String(new.client.to_string()));
    let event = NewEvent {
        at: new.now,
        actor_id: user,
        device_id: new.device_id,
        drive_id: Some(new.drive_id),
        kind: "conflict-opened",
        path: Some(new.path.to_string()),
        detail,
        ..NewEvent::default()
    };
    events::add(tx, event).await
}

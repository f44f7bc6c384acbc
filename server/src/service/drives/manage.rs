//! Adding, renaming, sharing and forgetting drives.

use holdfast_protocol::fold_key;
use uuid::Uuid;

use crate::catalog::db::Tx;
use crate::catalog::drives::{self as rows, Drive, NewDrive};
use crate::catalog::events::{self, NewEvent};
use crate::domain::drives::{self as rules, Kind};
use crate::error::{Error, Result};

/// A drive without a folder on this server, known from what devices report.
#[derive(Debug, Clone)]
pub struct Reported<'a> {
    /// What it is called; free among its owner's.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Says it is the same drive wherever it is seen.
    pub identifier: &'a str,
    /// Who provides it.
    pub provider: Option<&'a str>,
}

/// Adds a drive that a device has reported.
///
/// # Errors
/// 422 for a provider that is none, or the catalogue's.
pub async fn add_reported(tx: &mut Tx, owner: i64, reported: &Reported<'_>, now: i64) -> Result<Drive> {
    if let Some(provider) = reported.provider {
        rules::provider(provider).map_err(Error::invalid)?;
    }
    let new = NewDrive {
        uuid: Uuid::new_v4(),
        owner_id: owner,
        name: &reported.name,
        name_key: &fold_key(&reported.name),
        kind: reported.kind.as_str(),
        unique_identifier: reported.identifier,
        provider: reported.provider,
        root: None,
        now,
    };
    let (id, _) = rows::insert(tx, &new).await?;
    let event = NewEvent {
        at: now,
        actor_id: Some(owner),
        drive_id: Some(id),
        kind: "drive-created",
        ..NewEvent::default()
    };
    events::add(tx, event).await?;
    rows::by_id(tx, id).await?.ok_or_else(|| Error::internal("a drive was not stored"))
}

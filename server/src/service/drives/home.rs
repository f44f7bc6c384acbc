//! Home drives: every account has one from the start.

use std::path::{Path, PathBuf};

use holdfast_disk::signature::Signature;
use holdfast_protocol::fold_key;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Drives;
use crate::catalog::db::Tx;
use crate::catalog::drives::{self as rows, NewDrive};
use crate::catalog::events::{self, NewEvent};
use crate::error::{Error, Result};
use crate::store::FolderDrive;

/// A home drive whose folder is signed and waits for its row in the catalogue.
#[derive(Debug, Clone)]
pub struct PreparedHome {
    uuid: Uuid,
    root: String,
}

impl Drives {
    /// Makes and signs the folder of a new account's home drive; the next step is [`insert_home`].
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn prepare_home(&self, user: Uuid) -> Result<PreparedHome> {
        let root = self.folder.join(user.to_string()).join("home");
        let created = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.shared.clock.now()) * 1000)
            .map_err(Error::internal)?;
        let signature = Signature::new(Uuid::new_v4(), "home", created);
        let uuid = signature.drive_id;
        let text = root
            .to_str()
            .ok_or_else(|| Error::internal("the data directory's name is not UTF-8"))?
            .to_owned();
        let made = {
            let root = root.clone();
            tokio::task::spawn_blocking(move || make_root(&root, &signature))
                .await
                .map_err(Error::internal)?
        };
        made?;
        Ok(PreparedHome { uuid, root: text })
    }

    /// Removes the folder of a home drive whose account was refused after all. It holds nothing of anybody's yet.
    pub async fn discard_home(&self, home: PreparedHome) {
        let root = PathBuf::from(home.root);
        let removed = tokio::task::spawn_blocking(move || match root.parent() {
            Some(users) => std::fs::remove_dir_all(users),
            None => Ok(()),
        });
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(%error, "the folder of a home drive that is not needed could not be removed");
        }
    }
}

fn make_root(root: &Path, signature: &Signature) -> Result<()> {
    std::fs::create_dir_all(root).map_err(Error::internal)?;
    FolderDrive::create(root, signature).map(drop).map_err(|refusal| Error::conflict(refusal.to_string()))
}

/// Adds a home drive to the catalogue, in the transaction that adds its account. Returns its internal key, to be given
/// to [`Drives::opened`] after the commit.
///
/// # Errors
/// The catalogue's.
pub async fn insert_home(tx: &mut Tx, user: i64, home: &PreparedHome, now: i64) -> Result<i64> {
    let identifier = format!("holdfast-{}", home.uuid);
    let new = NewDrive {
        uuid: home.uuid,
        owner_id: user,
        name: "home",
        name_key: &fold_key("home"),
        kind: "nas",
        unique_identifier: &identifier,
        provider: None,
        root: Some(&home.root),
        now,
    };
    let (id, _) = rows::insert(tx, &new).await?;
    let event = NewEvent {
        at: now,
        actor_id: Some(user),
        drive_id: Some(id),
        kind: "drive-created",
        ..NewEvent::default()
    };
    events::add(tx, event).await?;
    Ok(id)
}

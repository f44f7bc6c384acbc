//! What owners do with their drives: adding, renaming, taking offline, forgetting. Folders and roots are in `roots`.

use std::sync::Arc;

use holdfast_protocol::fold_key;
use uuid::Uuid;

use super::{Drives, Shown, named};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::drive_writes as writes;
use crate::catalog::drives::{self as rows, Drive, NewDrive, Right, Visible};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::forgetting::{self, Left, Step};
use crate::catalog::sql;
use crate::domain::drives::{self as rules, Kind};
use crate::error::{Error, Result};
use crate::service::caller::Caller;

/// Most drives of an account.
const MOST: usize = 5_000;

/// Why a drive that its owner took offline is out of reach.
pub(super) const TAKEN_OFFLINE: &str = "its owner took it offline";

/// A drive to be added that has no folder on this server.
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

/// Adds a drive that a device has reported, or is going to.
///
/// `visible` is what the owner may see by now.
///
/// # Errors
/// 409 `drive-exists` or `too-many-drives`, 422 for a provider that is none, or the catalogue's.
pub async fn add_reported(
    tx: &mut Tx,
    owner: i64,
    visible: &[Visible],
    reported: &Reported<'_>,
    now: i64,
) -> Result<Drive> {
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
    add(tx, visible, &new).await
}

/// Adds a drive to those that its owner may see, and logs that.
pub(super) async fn add(tx: &mut Tx, visible: &[Visible], new: &NewDrive<'_>) -> Result<Drive> {
    is_free(visible, new.owner_id, new.name_key, Some(new.unique_identifier))?;
    let (id, _) = rows::insert(tx, new).await?;
    log(tx, new.owner_id, Some(id), "drive-created", &[], new.now).await?;
    rows::by_id(tx, id).await?.ok_or_else(|| Error::internal("a drive was not stored"))
}

/// Whether an account may have another drive of a name (its folded key) and identifier.
///
/// # Errors
/// 409 `drive-exists`, `too-many-drives`.
pub(super) fn is_free(
    visible: &[Visible],
    owner: i64,
    name_key: &str,
    identifier: Option<&str>,
) -> Result<()> {
    let own = || visible.iter().filter(|one| one.drive.owner_id == owner);
    let is_taken = |one: &&Visible| {
        fold_key(&one.drive.name) == name_key || identifier == Some(one.drive.unique_identifier.as_str())
    };
    if let Some(there) = own().find(is_taken) {
        return Err(exists().with("drive", there.drive.uuid.to_string()));
    }
    if own().count() >= MOST {
        return Err(Error::conflict(format!("an account has at most {MOST} drives")).code("too-many-drives"));
    }
    Ok(())
}

pub(super) fn exists() -> Error {
    Error::conflict("you have a drive of this name or identifier already").code("drive-exists")
}

/// Logs what somebody did with a drive.
pub(super) async fn log(
    tx: &mut Tx,
    user: i64,
    drive: Option<i64>,
    kind: &'static str,
    detail: &[(&str, String)],
    at: i64,
) -> Result<()> {
    let detail = detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    let event = NewEvent { at, actor_id: Some(user), drive_id: drive, kind, detail, ..NewEvent::default() };
    events::add(tx, event).await
}

/// A drive that its owner asks for.
///
/// # Errors
/// 404, 409 with candidates, 403 `needs-owner` for everybody else.
pub(super) async fn owned(tx: &mut Tx, user: i64, name: &str) -> Result<Visible> {
    let visible = named(tx, user, Some(name)).await?;
    if visible.right < Right::Own {
        return Err(Error::forbidden("only the drive's owner may do this").code("needs-owner"));
    }
    Ok(visible)
}

/// What is to change about a drive.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Another name.
    pub name: Option<String>,
    /// Another provider.
    pub provider: Option<String>,
}

/// Gives a drive another name or provider. Its address on the network drive by name changes with it; the one by id stays.
///
/// # Errors
/// 403 `needs-owner`, 404, 409 `drive-exists`, 422, or the catalogue's.
pub async fn change(app: &App, caller: &Caller, drive: String, change: Change) -> Result<Shown> {
    let (user, at) = (caller.user_id, app.clock.now());
    let name = change.name.as_deref().map(rules::name).transpose().map_err(Error::invalid)?;
    if let Some(provider) = &change.provider {
        rules::provider(provider).map_err(Error::invalid)?;
    }
    let uuid = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let drive = owned(tx, user, &drive).await?.drive;
                if let Some(name) = name.filter(|name| *name != drive.name) {
                    // The home drive is what is meant where none is named.
                    if is_home(&drive) {
                        return Err(Error::conflict("the home drive keeps its name").code("home-drive"));
                    }
                    let renamed = writes::rename(tx, drive.id, &name, &fold_key(&name), at).await;
                    renamed.map_err(|error| match error {
                        error if error.is_unique_violation() => exists(),
                        error => error.into(),
                    })?;
                    let detail = [("from", drive.name.clone()), ("to", name)];
                    log(tx, user, Some(drive.id), "drive-renamed", &detail, at).await?;
                }
                if let Some(provider) = change.provider {
                    writes::set_provider(tx, drive.id, Some(&provider), at).await?;
                }
                Ok(drive.uuid)
            })
        })
        .await?;
    app.drives.show(user, &uuid.to_string()).await
}

/// Whether it is the drive that an account had from the start.
fn is_home(drive: &Drive) -> bool {
    drive.name == "home" && drive.unique_identifier == format!("holdfast-{}", drive.uuid)
}

/// Takes a drive offline, after all that was promised of it is durable on its disk, so that this can be unplugged; or brings it
/// back. Until then it is out of reach over every protocol, and nothing of it counts as deleted (P8).
///
/// # Errors
/// 403 `needs-owner`, 404, 409 for a drive without a folder here, or the catalogue's.
pub async fn set_offline(app: &App, caller: &Caller, drive: String, is_offline: bool) -> Result<Shown> {
    let (user, at) = (caller.user_id, app.clock.now());
    let drive = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let drive = owned(tx, user, &drive).await?.drive;
                if drive.root.is_none() {
                    return Err(Error::conflict("this server has no folder of this drive").code("no-root"));
                }
                if drive.offline_since.is_some() != is_offline {
                    writes::set_offline(tx, drive.id, is_offline.then_some(at), at).await?;
                    let kind = if is_offline { "drive-taken-offline" } else { "drive-brought-online" };
                    log(tx, user, Some(drive.id), kind, &[], at).await?;
                }
                Ok(drive)
            })
        })
        .await?;
    if is_offline {
        app.drives.let_go(drive.id, TAKEN_OFFLINE).await;
    } else if app.is_serving() {
        app.drives.opened(drive.id).await?;
    }
    app.drives.show(user, &drive.uuid.to_string()).await
}

/// Forgets a drive: its history, its trash, and what devices reported of it. Its files stay where they are.
///
/// # Errors
/// 403 `needs-owner`, 404, 409 `home-drive` or `unresolved-conflicts`, or the catalogue's.
pub async fn forget(app: &App, caller: &Caller, drive: String) -> Result<()> {
    caller.require_person()?;
    let (user, at) = (caller.user_id, app.clock.now());
    let id = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let drive = owned(tx, user, &drive).await?.drive;
                if is_home(&drive) {
                    return Err(Error::conflict("the home drive cannot be forgotten").code("home-drive"));
                }
                let open = writes::open_conflicts(tx, drive.id).await?;
                if open > 0 {
                    let why = "the drive has conflicts that nobody has resolved";
                    return Err(Error::conflict(why).code("unresolved-conflicts").with("conflicts", open));
                }
                forgetting::forget(tx, drive.id, at).await?;
                let detail = [
                    ("drive", drive.uuid.to_string()),
                    ("name", drive.name),
                    ("root", drive.root.unwrap_or_default()),
                ];
                log(tx, user, None, "drive-forgotten", &detail, at).await?;
                Ok(drive.id)
            })
        })
        .await?;
    app.drives.forgotten(id);
    app.drives.clear_forgotten();
    Ok(())
}

impl Drives {
    /// Takes a drive out of those that are open, and makes durable what of it was committed.
    pub(super) async fn let_go(&self, id: i64, why: &str) {
        let Some(mounted) = self.take_out(id, Some(why)) else { return };
        self.note_last_size(id);
        if let Some(mut gate) = mounted.quiet().await
            && let Err(error) = mounted.mark(&mut gate).await
        {
            tracing::warn!(drive = %mounted.uuid, %error, "what was placed last is looked at again when the drive is back");
        }
    }

    /// Takes what is left of forgotten drives out of the catalogue, a portion after the other; others write in between. What is
    /// not done when the server stops is done after its next start.
    pub(super) fn clear_forgotten(self: &Arc<Self>) {
        let drives = Arc::clone(self);
        self.tasks.spawn(async move {
            let _alone = drives.clearing.lock().await;
            if let Err(error) = drives.clear_all().await {
                tracing::warn!(%error, "what is left of a forgotten drive is taken out after the next start");
            }
        });
    }

    async fn clear_all(&self) -> Result<()> {
        let db = &self.shared.db;
        while let Some(left) = db.read(|tx| Box::pin(forgetting::next(tx))).await? {
            let mut step = Some(Step::Agreements);
            while let Some(now) = step {
                if *self.stop.borrow() {
                    return Ok(());
                }
                step = self.clear_portion(left, now).await?;
            }
        }
        Ok(())
    }

    async fn clear_portion(&self, left: Left, step: Step) -> Result<Option<Step>> {
        let next =
            self.shared.db.write(move |tx| Box::pin(async move { forgetting::clear(tx, left, step).await }));
        let next = next.await?;
        Ok((step != Step::Done).then_some(next))
    }

    /// There is no such drive any more.
    fn forgotten(&self, id: i64) {
        self.take_out(id, None);
        self.forget_size(id);
    }
}

/// A drive without a folder here, added by its owner.
///
/// # Errors
/// 409 `drive-exists`, 422, or the catalogue's.
pub async fn create_reported(
    app: &App,
    caller: &Caller,
    name: &str,
    kind: Kind,
    identifier: Option<String>,
    provider: Option<String>,
) -> Result<Shown> {
    let name = rules::name(name).map_err(Error::invalid)?;
    let identifier = identifier.unwrap_or_else(|| format!("holdfast-{}", sql::new_id()));
    rules::identifier(&identifier).map_err(Error::invalid)?;
    let (user, at) = (caller.user_id, app.clock.now());
    let drive = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let new = Reported { name, kind, identifier: &identifier, provider: provider.as_deref() };
                let visible = rows::visible(tx, user).await?;
                add_reported(tx, user, &visible, &new, at).await
            })
        })
        .await?;
    app.drives.show(user, &drive.uuid.to_string()).await
}

//! Drives in folders of this server: new ones, folders that people have already, and disks that turn up elsewhere.

use std::path::{Component, Path, PathBuf};

use holdfast_disk::{Signature, SignatureError};
use holdfast_protocol::fold_key;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Shown;
use super::manage::{add, is_free, log, owned};
use crate::app::App;
use crate::catalog::drive_writes as writes;
use crate::catalog::drives::{self as rows, Drive, NewDrive};
use crate::domain::drives::{self as rules, Kind};
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::store::{FolderDrive, Refusal};

/// What a file system puts into its own root.
const NOBODYS: [&str; 2] = ["lost+found", "System Volume Information"];

/// A drive to be made of a folder.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Says it is the same drive wherever it is seen; without one it gets one.
    pub identifier: Option<String>,
    /// Who provides it.
    pub provider: Option<String>,
    /// Absolute path of the folder.
    pub root: String,
    /// Whether it may hold something: what is in it becomes the drive's.
    pub adopt: bool,
}

/// Makes a drive of a folder of this server (admins only: a folder is anybody's whose path is known). A folder that carries the
/// signature of a drive which this server does not know is that drive again.
///
/// # Errors
/// 403; 409 `drive-exists`, `not-empty`, `already-a-drive`, `inside-another-drive`; 422 `bad-root` for what cannot be a root; or
/// the catalogue's. The folder is as it was then.
pub async fn create(app: &App, caller: &Caller, wanted: Wanted) -> Result<Shown> {
    caller.require_admin()?;
    let (whole, user) = (app.clone(), caller.user_id);
    // An act of its own: a caller that leaves must not leave a signed folder without a drive.
    let drive = app.act(async move { make(&whole, user, wanted).await }).await?;
    app.drives.show(user, &drive.uuid.to_string()).await
}

/// The same for an account (internal key), asked on the server's own command line. A server that runs beside finds the drive
/// within seconds.
///
/// # Errors
/// As [`create`].
pub async fn create_for(app: &App, user: i64, wanted: Wanted) -> Result<Drive> {
    let whole = app.clone();
    app.act(async move { make(&whole, user, wanted).await }).await
}

/// Whether a folder would become an account's drive: its path, and the drive that its signature says it is.
///
/// # Errors
/// As [`create`], as far as that can be told without writing anything.
pub(super) async fn would_make(app: &App, user: i64, wanted: Wanted) -> Result<(PathBuf, Option<Uuid>)> {
    let name = checked(&wanted)?;
    let (taken, visible) = app
        .db
        .read(move |tx| {
            Box::pin(async move { Ok((rows::rooted(tx).await?, rows::visible(tx, user).await?)) })
        })
        .await?;
    is_free(&visible, user, &fold_key(&name), wanted.identifier.as_deref())?;
    let data = app.config.data_dir.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let root = usable(&wanted.root, &data, &taken)?;
        let signed = may_become(&root, &taken, wanted.adopt)?;
        Ok((root, signed))
    });
    looked.await.map_err(Error::internal)?
}

fn checked(wanted: &Wanted) -> Result<String> {
    let name = rules::name(&wanted.name).map_err(Error::invalid)?;
    if let Some(identifier) = &wanted.identifier {
        rules::identifier(identifier).map_err(Error::invalid)?;
    }
    if let Some(provider) = &wanted.provider {
        rules::provider(provider).map_err(Error::invalid)?;
    }
    Ok(name)
}

async fn make(app: &App, user: i64, wanted: Wanted) -> Result<Drive> {
    let name = checked(&wanted)?;
    let now = app.clock.now();
    let (taken, visible) = app
        .db
        .read(move |tx| {
            Box::pin(async move { Ok((rows::rooted(tx).await?, rows::visible(tx, user).await?)) })
        })
        .await?;
    // Asked again in the commit; what is refused for its name leaves the folder untouched.
    is_free(&visible, user, &fold_key(&name), wanted.identifier.as_deref())?;
    let created =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(now) * 1000).map_err(Error::internal)?;
    let (data, adopt, signed) = (app.config.data_dir.clone(), wanted.adopt, name.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let root = usable(&wanted.root, &data, &taken)?;
        prepare(root, &taken, adopt, |id| Signature::new(id, signed, created))
    });
    let prepared = prepared.await.map_err(Error::internal)??;
    let (uuid, path, was_signed) = (prepared.uuid, prepared.path.clone(), prepared.was_signed);
    let medium = prepared.medium;
    let identifier = wanted.identifier.unwrap_or_else(|| format!("holdfast-{uuid}"));
    let (kind, provider) = (wanted.kind, wanted.provider);
    let added = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let new = NewDrive {
                    uuid,
                    owner_id: user,
                    name: &name,
                    name_key: &fold_key(&name),
                    kind: kind.as_str(),
                    unique_identifier: &identifier,
                    provider: provider.as_deref(),
                    root: Some(&path),
                    now,
                };
                let visible = rows::visible(tx, user).await?;
                let drive = add(tx, &visible, &new).await?;
                if let Some(medium) = medium {
                    writes::set_medium(tx, drive.id, &medium).await?;
                }
                Ok(drive)
            })
        })
        .await;
    match added {
        Ok(drive) => {
            if app.is_serving() {
                app.drives.opened(drive.id).await?;
            }
            Ok(drive)
        }
        Err(refused) => {
            // Only when nothing was made for certain: after a failed commit the drive may exist all the same.
            if refused.kind() == crate::error::Kind::Conflict && !was_signed {
                let root = PathBuf::from(prepared.path);
                let undone = tokio::task::spawn_blocking(move || FolderDrive::unmake(&root, uuid));
                if let Ok(Err(error)) = undone.await {
                    tracing::warn!(%error, "the signature of a drive that was refused could not be removed");
                }
            }
            Err(refused)
        }
    }
}

/// A folder that is signed and waits for its row.
struct Prepared {
    uuid: Uuid,
    path: String,
    was_signed: bool,
    /// By what it is known where it cannot be signed.
    medium: Option<String>,
}

fn prepare(
    root: PathBuf,
    taken: &[Drive],
    adopt: bool,
    sign: impl FnOnce(Uuid) -> Signature,
) -> Result<Prepared> {
    let path = root.to_str().ok_or_else(|| bad_root("the folder's path is not UTF-8"))?.to_owned();
    if let Some(signed) = may_become(&root, taken, adopt)? {
        FolderDrive::open(&root, signed, None).map_err(refused)?;
        return Ok(Prepared { uuid: signed, path, was_signed: true, medium: None });
    }
    let uuid = Uuid::new_v4();
    if let Some(medium) = FolderDrive::medium(&root).map_err(refused)? {
        if let Some(known) = taken.iter().find(|drive| drive.medium.as_ref() == Some(&medium)) {
            let why = "this disc, which can only be read, is a drive already";
            return Err(Error::conflict(why).code("already-a-drive").with("drive", known.uuid.to_string()));
        }
        FolderDrive::open(&root, uuid, Some(&medium)).map_err(refused)?;
        // Nothing was written, so there is nothing to be taken back.
        return Ok(Prepared { uuid, path, was_signed: true, medium: Some(medium) });
    }
    FolderDrive::create(&root, &sign(uuid)).map_err(refused)?;
    Ok(Prepared { uuid, path, was_signed: false, medium: None })
}

/// Checks what is in a folder that is to become a drive; gives the drive that its signature says it is.
fn may_become(root: &Path, taken: &[Drive], adopt: bool) -> Result<Option<Uuid>> {
    let folder =
        std::fs::File::open(root).map_err(|error| bad_root(format!("the folder cannot be read: {error}")))?;
    match Signature::read(&folder) {
        Ok(there) => {
            if let Some(known) = taken.iter().find(|drive| drive.uuid == there.drive_id) {
                let why = "the folder is a drive that this server knows; if its disk has another place now, relocate it, and if \
                           it is a copy, clone it";
                let error = Error::conflict(why).code("already-a-drive");
                return Err(error.with("drive", known.uuid.to_string()));
            }
            if !adopt {
                let why =
                    "the folder is a drive of another Holdfast server; say `adopt` to go on with it here";
                return Err(Error::conflict(why).code("not-empty"));
            }
            return Ok(Some(there.drive_id));
        }
        Err(SignatureError::Absent) => {}
        Err(why) => return Err(bad_root(format!("the folder cannot become a drive: {why}"))),
    }
    if !adopt && holds_something(root)? {
        let why = "the folder is not empty; say `adopt` to make what is in it the drive's";
        return Err(Error::conflict(why).code("not-empty"));
    }
    Ok(None)
}

fn holds_something(root: &Path) -> Result<bool> {
    let entries =
        std::fs::read_dir(root).map_err(|error| bad_root(format!("the folder cannot be read: {error}")))?;
    for entry in entries {
        let entry = entry.map_err(|error| bad_root(format!("the folder cannot be read: {error}")))?;
        if !NOBODYS.iter().any(|name| entry.file_name() == *name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks a path that somebody names as a root: a folder of its own, not the whole machine, not the server's own data, and not
/// in another drive nor around one.
fn usable(text: &str, data: &Path, taken: &[Drive]) -> Result<PathBuf> {
    let path = Path::new(text);
    let leads_up = path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || leads_up || text.contains('\0') {
        return Err(bad_root("a root is an absolute path on the server, without `..`"));
    }
    let there = std::fs::symlink_metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => bad_root("there is no such folder on the server"),
        _ => bad_root(format!("the folder cannot be looked at: {error}")),
    })?;
    if there.is_symlink() {
        return Err(bad_root("a root is no symbolic link"));
    }
    if !there.is_dir() {
        return Err(bad_root("a root is a folder"));
    }
    let real =
        path.canonicalize().map_err(|error| bad_root(format!("the folder cannot be looked at: {error}")))?;
    // Slashes at the end and in a row mean nothing.
    if real != path.components().collect::<PathBuf>() {
        return Err(
            bad_root("a root is not reached through a symbolic link").with("path", real.to_string_lossy())
        );
    }
    if real == Path::new("/") {
        return Err(bad_root("the whole machine cannot be a drive"));
    }
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    if overlap(&real, &data) {
        return Err(bad_root("a root is apart from the server's own data"));
    }
    for drive in taken {
        let Some(root) = &drive.root else { continue };
        let root = Path::new(root);
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        if real != root && overlap(&real, &root) {
            let why = "a root lies neither in another drive nor around one";
            return Err(Error::conflict(why)
                .code("inside-another-drive")
                .with("drive", drive.uuid.to_string()));
        }
    }
    Ok(real)
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

pub(super) fn bad_root(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid(why).code("bad-root")
}

fn refused(refusal: Refusal) -> Error {
    let text = refusal.to_string();
    match refusal {
        Refusal::InUse(_) | Refusal::AlreadyADrive { .. } => Error::conflict(text).code("already-a-drive"),
        _ => bad_root(text),
    }
}

/// Says that a drive's disk has another place now (002-66). The folder there must be that drive, and the old place must not be
/// it any more.
///
/// # Errors
/// 403; 404; 409 `another-drive` where the folder is not that drive, `still-there` where the old place is it, too; 422
/// `bad-root`; or the catalogue's.
pub async fn relocate(app: &App, caller: &Caller, drive: String, root: String) -> Result<Shown> {
    caller.require_admin()?;
    let user = caller.user_id;
    let drive = app.db.read(move |tx| Box::pin(async move { owned(tx, user, &drive).await })).await?.drive;
    let old = drive.root.clone().ok_or_else(no_root)?;
    let taken = app.db.read(|tx| Box::pin(rows::rooted(tx))).await?;
    let (data, uuid, medium) = (app.config.data_dir.clone(), drive.uuid, drive.medium.clone());
    let new = tokio::task::spawn_blocking(move || {
        let others: Vec<Drive> = taken.into_iter().filter(|other| other.uuid != uuid).collect();
        let real = usable(&root, &data, &others)?;
        if !is_drive(&real, uuid, medium.as_deref())? {
            return Err(Error::conflict("the folder there is not this drive").code("another-drive"));
        }
        let is_elsewhere = Path::new(&old).canonicalize().is_ok_and(|old| old != real);
        let old = Path::new(&old);
        if is_elsewhere && is_drive(old, uuid, medium.as_deref()).is_ok_and(|is_there| is_there) {
            let why = "the drive is still at its old place as well: take one of them away, or clone the copy";
            return Err(Error::conflict(why).code("still-there"));
        }
        real.into_os_string().into_string().map_err(|_| bad_root("the folder's path is not UTF-8"))
    });
    let new = new.await.map_err(Error::internal)??;
    app.drives.let_go(drive.id, "its disk is being looked for at another place").await;
    let at = app.clock.now();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                writes::set_root(tx, drive.id, &new, at).await?;
                log(tx, user, Some(drive.id), "drive-relocated", &[("root", new)], at).await
            })
        })
        .await?;
    if app.is_serving() {
        app.drives.opened(drive.id).await?;
    }
    app.drives.show(user, &uuid.to_string()).await
}

/// Makes a drive of its own of a copy of a drive: a new id in the signature of that folder.
///
/// # Errors
/// 403; 404; 409 `another-drive` where the folder is no copy of that drive, `still-there` where it is the drive itself, and as
/// [`create`]; 422 `bad-root`; or the catalogue's.
pub async fn clone(app: &App, caller: &Caller, drive: String, root: String, name: String) -> Result<Shown> {
    caller.require_admin()?;
    let user = caller.user_id;
    let drive = app.db.read(move |tx| Box::pin(async move { owned(tx, user, &drive).await })).await?.drive;
    let old = drive.root.clone().ok_or_else(no_root)?;
    rules::name(&name).map_err(Error::invalid)?;
    let taken = app.db.read(|tx| Box::pin(rows::rooted(tx))).await?;
    let (data, uuid, asked, signed) = (app.config.data_dir.clone(), drive.uuid, root.clone(), name.clone());
    let renewed = tokio::task::spawn_blocking(move || {
        let real = usable(&asked, &data, &taken)?;
        let folder = std::fs::File::open(&real).map_err(Error::internal)?;
        let mut signature = match Signature::read(&folder) {
            Ok(there) if there.drive_id == uuid => there,
            _ => {
                return Err(
                    Error::conflict("the folder there is no copy of this drive").code("another-drive")
                );
            }
        };
        let is_itself = Path::new(&old).canonicalize().is_ok_and(|old| old == real);
        // At its own place there may be nothing now: then this may be the drive, and not a copy.
        let is_there = signature_of(Path::new(&old)).is_ok_and(|there| there == Some(uuid));
        if is_itself || !is_there {
            let why = "the drive itself is not at its place, so this may be it: relocate it, or bring it back first";
            return Err(Error::conflict(why).code("still-there"));
        }
        signature.drive_id = Uuid::new_v4();
        signature.name = signed;
        signature.write(&folder).map_err(|error| bad_root(format!("the folder cannot be written: {error}")))
    });
    renewed.await.map_err(Error::internal)??;
    let kind = Kind::parse(&drive.kind).map_err(Error::internal)?;
    create(app, caller, Wanted { name, kind, identifier: None, provider: drive.provider, root, adopt: true })
        .await
}

fn no_root() -> Error {
    Error::conflict("this server has no folder of this drive").code("no-root")
}

/// Whether a folder is a drive, by its signature, or by its medium where that can only be read.
pub(super) fn is_drive(root: &Path, drive: Uuid, medium: Option<&str>) -> Result<bool> {
    match signature_of(root)? {
        Some(there) => Ok(there == drive),
        None if medium.is_none() => Ok(false),
        None => Ok(FolderDrive::medium(root).map_err(refused)?.as_deref() == medium),
    }
}

/// Which drive a folder is, if it is one.
fn signature_of(root: &Path) -> Result<Option<Uuid>> {
    let folder =
        std::fs::File::open(root).map_err(|error| bad_root(format!("the folder cannot be read: {error}")))?;
    match Signature::read(&folder) {
        Ok(signature) => Ok(Some(signature.drive_id)),
        Err(SignatureError::Absent) => Ok(None),
        Err(why) => Err(bad_root(why.to_string())),
    }
}

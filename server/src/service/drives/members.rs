//! With whom drives are shared.

use super::manage::{log, owned};
use super::named;
use crate::app::App;
use crate::catalog::drive_writes::{self as writes, Sharer};
use crate::catalog::drives::Right;
use crate::catalog::users;
use crate::domain::accounts::login_key;
use crate::error::{Error, Result};
use crate::service::caller::Caller;

/// What somebody may do with a drive that is shared with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look, read, and change.
    Editor,
    /// Look and read.
    Viewer,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// With whom a drive is shared; for its owner and those.
///
/// # Errors
/// 404, 409 with candidates, or the catalogue's.
pub async fn list(app: &App, caller: &Caller, drive: String) -> Result<Vec<Sharer>> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let drive = named(tx, user, Some(&drive)).await?.drive;
                writes::sharers(tx, drive.id).await
            })
        })
        .await
}

/// Shares a drive with somebody, or says anew what they may do.
///
/// # Errors
/// 403 `needs-owner`, 404 for the drive and `unknown-user`, 409 where that is its owner, or the catalogue's.
pub async fn share(
    app: &App,
    caller: &Caller,
    drive: String,
    username: String,
    role: Role,
) -> Result<Vec<Sharer>> {
    caller.require_person()?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let drive = owned(tx, user, &drive).await?.drive;
                let key = login_key(&username).ok_or_else(unknown_user)?;
                let other = users::by_key(tx, &key).await?.ok_or_else(unknown_user)?;
                if other.id == drive.owner_id {
                    return Err(Error::conflict("the drive is theirs").code("owner"));
                }
                writes::share(tx, drive.id, other.id, role.as_str(), at).await?;
                let detail = [("username", other.username), ("role", role.as_str().to_owned())];
                log(tx, user, Some(drive.id), "drive-shared", &detail, at).await?;
                writes::sharers(tx, drive.id).await
            })
        })
        .await
}

/// Shares a drive with somebody no longer; whoever it was shared with may leave by themselves.
///
/// # Errors
/// 403 `needs-owner`, 404 for the drive and `unknown-user`, or the catalogue's.
pub async fn unshare(app: &App, caller: &Caller, drive: String, username: String) -> Result<()> {
    caller.require_person()?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let visible = named(tx, user, Some(&drive)).await?;
                let key = login_key(&username).ok_or_else(unknown_user)?;
                let other = users::by_key(tx, &key).await?.ok_or_else(unknown_user)?;
                if visible.right < Right::Own && other.id != user {
                    return Err(Error::forbidden("only the drive's owner may do this").code("needs-owner"));
                }
                if !writes::unshare(tx, visible.drive.id, other.id).await? {
                    return Err(unknown_user());
                }
                let detail = [("username", other.username)];
                log(tx, user, Some(visible.drive.id), "drive-unshared", &detail, at).await
            })
        })
        .await
}

fn unknown_user() -> Error {
    Error::not_found("there is no such account, or the drive is not shared with it").code("unknown-user")
}

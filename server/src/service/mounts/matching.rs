//! Which drive a path of a device lies in (000-12, 000-13).

use std::collections::HashMap;

use crate::app::App;
use crate::catalog::mounts::{self as rows, Mount};
use crate::domain::mounts::{DevicePath, platform_of};
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::service::devices;
use crate::service::drives::Shown;

/// Most paths of one question.
const MOST: usize = 100;

/// The drive that a path lies in.
#[derive(Debug, Clone)]
pub struct Match {
    /// The drive.
    pub drive: Shown,
    /// Where the device has it.
    pub mount: Mount,
    /// The path below that, with `/` between names.
    pub relative: String,
}

/// The drive that a path of one of the caller's devices lies in: the innermost that is there.
///
/// # Errors
/// 404 for the device, 404 `no-drive-for-path`, 422 for what is no path on that device, or the catalogue's.
pub async fn find(app: &App, caller: &Caller, device_id: String, path: String) -> Result<Match> {
    let found = find_all(app, caller, device_id, vec![path]).await?.pop();
    found.unwrap_or_else(|| Err(Error::internal("a path was not looked at")))
}

/// The same of several paths, each with its own answer, in their order.
///
/// # Errors
/// 404 for the device, 422 for too many paths, or the catalogue's.
pub async fn find_all(
    app: &App,
    caller: &Caller,
    device_id: String,
    paths: Vec<String>,
) -> Result<Vec<Result<Match>>> {
    if paths.len() > MOST {
        return Err(Error::invalid(format!("at most {MOST} paths are looked at together")));
    }
    let user = caller.user_id;
    let (paths, mounts) = app
        .db
        .read(move |tx| {
            Box::pin(async move {
                let device = devices::find(tx, user, &device_id).await?;
                let read =
                    |path: String| DevicePath::parse(platform_of(device.platform.as_deref(), &path), &path);
                let paths: Vec<_> = paths.into_iter().map(read).collect();
                let within = paths.iter().flatten().flat_map(DevicePath::within).map(|(key, _)| key);
                let mut keys: Vec<String> = within.collect();
                keys.sort_unstable();
                keys.dedup();
                let mounts = rows::at_any(tx, device.id, user, &keys).await?;
                Ok((paths, mounts))
            })
        })
        .await?;
    let by_key: HashMap<&str, &Mount> =
        mounts.iter().map(|mount| (mount.mount_key.as_str(), mount)).collect();
    let mut shown: HashMap<i64, Shown> = HashMap::new();
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let path = match path {
            Ok(path) => path,
            Err(why) => {
                found.push(Err(Error::invalid(why).code("bad-path")));
                continue;
            }
        };
        let place = path.within().find_map(|(key, below)| Some((*by_key.get(key.as_str())?, below)));
        let Some((mount, relative)) = place else {
            found.push(Err(in_none()));
            continue;
        };
        // By its key: an account may have thousands of drives.
        let drive = match shown.get(&mount.drive_id) {
            Some(drive) => Some(drive.clone()),
            None => app.drives.show_one(user, mount.drive_id).await?,
        };
        let Some(drive) = drive else {
            found.push(Err(in_none()));
            continue;
        };
        shown.insert(mount.drive_id, drive.clone());
        found.push(Ok(Match { drive, mount: mount.clone(), relative }));
    }
    Ok(found)
}

fn in_none() -> Error {
    Error::not_found("no drive that this device has now holds this path").code("no-drive-for-path")
}

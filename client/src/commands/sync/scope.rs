//! `holdfast sync exclude` and `include`: which folders this device takes part in.

use std::path::{Component, Path, PathBuf};

use holdfast_protocol::{DrivePath, Kind};
use uuid::Uuid;

use super::pair;
use crate::api::Api;
use crate::commands::{Context, Failure};
use crate::state::{Folder, Pair};

/// Leaves folders out.
pub async fn exclude(context: &Context, folders: &[PathBuf], keep: bool) -> Result<(), Failure> {
    let api = context.api()?;
    let pairs = pair::all(context)?;
    for local in folders {
        let (pair, path) = within(&pairs, local)?;
        let folder = find(&api, pair, &path, keep).await.map_err(|failure| failure.about(local.display()))?;
        pair::change(context, |pairs| leave_out(of(pairs, pair.id, local)?, folder))?;
        let what =
            if keep { "what is here stays here" } else { "what is here goes to the trash of the folder" };
        context.out.note(&format!("{} is left out from the next sync on; {what}", local.display()))?;
    }
    Ok(())
}

/// Takes folders in again.
pub fn include(context: &Context, folders: &[PathBuf]) -> Result<(), Failure> {
    for local in folders {
        let pairs = pair::all(context)?;
        let (pair, path) = within(&pairs, local)?;
        pair::change(context, |pairs| {
            let pair = of(pairs, pair.id, local)?;
            let before = pair.left_out.len();
            pair.left_out.retain(|folder| folder.path != path);
            if pair.left_out.len() < before {
                return Ok(());
            }
            let is_above = |folder: &&Folder| path.starts_with(&format!("{}/", folder.path));
            Err(match pair.left_out.iter().find(is_above) {
                Some(folder) => Failure::not_found("it lies in a folder that is left out")
                    .hint(format!("include {}", pair.local.join(&folder.path).display())),
                None => Failure::not_found("it is not left out").hint("`holdfast sync status` shows what is"),
            }
            .about(local.display()))
        })?;
        context.out.note(&format!("{} is synced from the next sync on", local.display()))?;
    }
    Ok(())
}

/// Notes that a folder is left out; what lies in it needs not be noted besides.
pub fn leave_out(pair: &mut Pair, folder: Folder) -> Result<(), Failure> {
    let below = format!("{}/", folder.path);
    pair.left_out.retain(|other| other.node != folder.node && !other.path.starts_with(&below));
    pair.left_out.push(folder);
    Ok(())
}

fn of<'p>(pairs: &'p mut [Pair], id: Uuid, local: &Path) -> Result<&'p mut Pair, Failure> {
    let found = pairs.iter_mut().find(|pair| pair.id == id);
    found.ok_or_else(|| Failure::not_found("its folder is kept in sync no more").about(local.display()))
}

/// The pair in whose folder a path lies, and where in it.
fn within<'p>(pairs: &'p [Pair], local: &Path) -> Result<(&'p Pair, String), Failure> {
    let path = absolute(local);
    let about = |failure: Failure| failure.about(local.display());
    let pair = pairs.iter().find(|pair| path.starts_with(&pair.local)).ok_or_else(|| {
        about(Failure::not_found("it lies in no folder that is kept in sync"))
            .hint("`holdfast sync status` shows which are")
    })?;
    let below = path.strip_prefix(&pair.local).unwrap_or(Path::new(""));
    let names: Option<Vec<&str>> = below.components().map(|name| name.as_os_str().to_str()).collect();
    let below = names.ok_or_else(|| about(Failure::usage("the name is not UTF-8")))?.join("/");
    if below.is_empty() {
        return Err(about(Failure::usage("that is all of it"))
            .hint("`holdfast sync remove` ends the sync of a folder, `holdfast sync pause` rests it"));
    }
    Ok((pair, below))
}

/// A path from the top, links resolved as far as it is there; it need not be.
fn absolute(local: &Path) -> PathBuf {
    let whole = std::path::absolute(local).unwrap_or_else(|_| local.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let there = plain.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    match there {
        Some((above, real)) => plain
            .strip_prefix(above)
            .map_or(real.clone(), |rest| if rest.as_os_str().is_empty() { real } else { real.join(rest) }),
        None => plain,
    }
}

/// A folder in the place on the server that a pair is synced with.
pub async fn find(api: &Api, pair: &Pair, path: &str, keep: bool) -> Result<Folder, Failure> {
    let drive = pair.drive.to_string();
    let root =
        if pair.node.is_nil() { DrivePath::default() } else { api.node(&drive, pair.node).await?.entry.path };
    let whole = if root.is_root() { path.to_owned() } else { format!("{root}/{path}") };
    let whole = DrivePath::parse_entry(&whole).map_err(|error| Failure::usage(error.to_string()))?;
    let above = whole.parent().unwrap_or_default();
    let mut cursor = None;
    loop {
        let page = api.tree(&drive, &above, false, cursor.as_deref(), None).await?;
        if let Some(entry) = page.entries.into_iter().find(|entry| entry.path == whole) {
            if entry.kind != Kind::Folder {
                return Err(Failure::usage("it is a file, and folders alone can be left out")
                    .hint("name it in .holdfastignore"));
            }
            return Ok(Folder { node: entry.id, path: path.to_owned(), keep });
        }
        cursor = page.next;
        if cursor.is_none() {
            return Err(Failure::not_found("there is no such folder on the server")
                .hint("what is on this device alone is named in .holdfastignore"));
        }
    }
}

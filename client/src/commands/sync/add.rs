//! `holdfast sync add`

use std::path::Path;

use uuid::Uuid;

use super::{pair, scope};
use crate::agent::local::{LocalFolder, Marker};
use crate::agent::trees::RemoteTree;
use crate::commands::place::Place;
use crate::commands::{Context, Failure};
use crate::state::Pair;

pub async fn run(context: &Context, local: &Path, place: &str, without: &[String]) -> Result<(), Failure> {
    let account = context.account()?;
    let api = context.api()?;
    // A drive alone is meant as a drive, not as a path.
    let place = if place.contains(':') { place.to_owned() } else { format!("{place}:") };
    let place = Place::read(context, &place)?;
    let drive =
        api.drives().await?.into_iter().find(|drive| {
            drive.name == place.drive || drive.id.to_string().eq_ignore_ascii_case(&place.drive)
        });
    let drive = drive.ok_or_else(|| {
        Failure::not_found(format!("there is no drive {:?}", place.drive))
            .hint("`holdfast drives` lists them")
    })?;
    std::fs::create_dir_all(local)
        .map_err(|error| Failure::failed(error.to_string()).about(local.display()))?;
    let path = pair::absolute(local);
    let node = if place.path.is_root() {
        RemoteTree::ROOT
    } else {
        api.make_folder(&drive.id.to_string(), &place.path, true)
            .await
            .map_err(|error| Failure::from(error).about(&place))?
            .id
    };
    let mut made = Pair {
        id: Uuid::new_v4(),
        local: path.clone(),
        drive: drive.id,
        drive_name: drive.name,
        path: place.path,
        node,
        server: account.server.to_string(),
        left_out: Vec::new(),
        paused: None,
    };
    // It was this agent's before, which has only forgotten of it: what it remembers of the folder counts.
    if let Some(marker) = LocalFolder::marker(&path)
        && (&marker.server, &marker.place) == (&made.server, &made.place())
        && context.state.remembers(marker.pair)
    {
        made.id = marker.pair;
    }
    for folder in without {
        let folder = folder.trim_matches('/');
        let found = scope::find(&api, &made, folder, false).await;
        scope::leave_out(&mut made, found.map_err(|failure| failure.about(folder))?)?;
    }
    let marker = Marker { format: 1, pair: made.id, server: made.server.clone(), place: made.place() };
    pair::change(context, |pairs| {
        let is_within = |other: &&Pair| path.starts_with(&other.local) || other.local.starts_with(&path);
        if let Some(other) = pairs.iter().find(is_within) {
            return Err(Failure::conflict(format!("{} is kept in sync already", other.local.display()))
                .about(local.display())
                .hint("a folder cannot be synced inside another that is"));
        }
        LocalFolder::mark(&path, &marker).map_err(|error| {
            Failure::conflict(error.to_string())
                .about(local.display())
                .hint("if whoever synced it is no more, delete the folder .holdfast-sync in it")
        })?;
        pairs.push(made.clone());
        Ok(())
    })?;
    if context.out.json {
        return Ok(context.out.value(&made)?);
    }
    context.out.note(&format!("{} <-> {}", path.display(), made.place()))?;
    Ok(context.out.note("sync it with `holdfast sync now`, or keep it in sync with `holdfast sync run`")?)
}

//! `holdfast history`

use uuid::Uuid;

use super::place::Place;
use super::{Context, Failure};
use crate::api::Api;
use crate::api::types::Version;
use crate::show::{JsonList, Table, size};

/// Show what a file held before
#[derive(clap::Args)]
#[command(after_long_help = "\
The newest version comes first; `*` marks what the file holds now, `!` a version whose bytes another program has destroyed. \
If more than one file was at the path over time, all their versions are shown.

--json: an array of {id, version_number, path, node, size, hash, created_at, modified_at, author, device, reason, current, kept}")]
pub struct Args {
    /// The file, there or deleted
    #[arg(value_name = "[DRIVE:]PATH")]
    path: String,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let place = Place::read_entry(context, &args.path)?;
    let (api, clock) = (context.api()?, context.clock()?);
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["VERSION", "", "WHEN", "SIZE", "WHY", "BY", "ID"]);
    let mut cursor = None;
    loop {
        let page = api.history(&place.drive, &place.path, cursor.as_deref()).await;
        let page = page.map_err(|error| Failure::from(error).about(&place))?;
        if cursor.is_none() && page.versions.is_empty() {
            return Err(Failure::not_found(format!("{place}: no file was ever there")));
        }
        for version in page.versions {
            if context.out.json {
                list.push(&version)?;
                continue;
            }
            let mark = match (version.current, version.kept) {
                (_, false) => "!",
                (true, _) => "*",
                _ => "",
            };
            table.row([
                version.version_number.to_string(),
                mark.to_owned(),
                clock.show(version.created_at),
                size(version.size),
                version.reason,
                version.author.unwrap_or_else(|| "-".to_owned()),
                version.id.to_string(),
            ]);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json { Ok(list.end()?) } else { Ok(table.write(&context.out)?) }
}

/// The version of a path that a number or an id names.
///
/// # Errors
/// When there is none, or a number means versions of several files.
pub async fn find(api: &Api, place: &Place, named: &str) -> Result<Version, Failure> {
    let id = named.parse::<Uuid>().ok();
    let number = named.parse::<i64>().ok();
    if id.is_none() && number.is_none() {
        return Err(Failure::usage(format!("{named:?} is neither the number nor the id of a version"))
            .hint("`holdfast history PATH` shows both"));
    }
    let mut found: Vec<Version> = Vec::new();
    let mut live = None;
    let mut cursor = None;
    loop {
        let page = api.history(&place.drive, &place.path, cursor.as_deref()).await;
        let page = page.map_err(|error| Failure::from(error).about(place))?;
        for version in page.versions {
            if version.current {
                live = live.or(version.node);
            }
            if Some(version.id) == id || (id.is_none() && Some(version.version_number) == number) {
                found.push(version);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    // Over time, several files may have had the path; a number means the one that is there now.
    if found.len() > 1
        && let Some(live) = live
    {
        found.retain(|version| version.node == Some(live));
    }
    match (found.pop(), found.is_empty()) {
        (Some(version), true) => Ok(version),
        (Some(_), false) => {
            Err(Failure::conflict(format!("{place}: several files that were there have a version {named}"))
                .hint("name it by its id, which `holdfast history PATH` shows"))
        }
        (None, _) => Err(Failure::not_found(format!("{place} has no version {named}"))
            .hint("`holdfast history PATH` shows which there are")),
    }
}

//! `holdfast trash`

use clap::Subcommand;
use holdfast_protocol::{DrivePath, Kind};
use uuid::Uuid;

use super::place::Place;
use super::{Context, Failure};
use crate::api::Api;
use crate::api::types::Deleted;
use crate::show::{JsonList, Table, size};

/// Show what was deleted, and bring it back
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List what was deleted; a folder stands for all that was in it
    #[command(
        after_long_help = "--json: an array of {path, kind, hash, size, modified_at, mtime_ns, id, deleted_at}"
    )]
    List {
        /// Of which drive
        #[arg(value_name = "DRIVE:", default_value = "")]
        drive: String,
    },
    /// Bring something back, by its id or by where it was
    #[command(after_long_help = "--json: {path, kind, hash, size, modified_at, mtime_ns, id}")]
    Restore {
        /// An id from the list (with the drive in front, unless it is the usual one), or where it was
        #[arg(value_name = "ID|[DRIVE:]PATH")]
        what: String,
        /// Another place to bring it back to, in the same drive
        #[arg(long, value_name = "PATH")]
        to: Option<String>,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::List { drive: String::new() }) {
        Verb::List { drive } => list(context, &drive).await,
        Verb::Restore { what, to } => restore(context, &what, to.as_deref()).await,
    }
}

async fn list(context: &Context, drive: &str) -> Result<(), Failure> {
    let place = Place::read(context, drive)?;
    if !place.path.is_root() {
        return Err(Failure::usage(format!("{drive:?} names something in a drive"))
            .hint("name the drive alone, with a colon: `holdfast trash list photos:`"));
    }
    let (api, clock) = (context.api()?, context.clock()?);
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["DELETED", "SIZE", "ID", "PATH"]);
    let mut cursor = None;
    loop {
        let page = api.trash(&place.drive, cursor.as_deref()).await;
        let page = page.map_err(|error| Failure::from(error).about(&place.drive))?;
        for deleted in page.items {
            if context.out.json {
                list.push(&deleted)?;
                continue;
            }
            let Deleted { entry, deleted_at } = deleted;
            let is_folder = entry.kind == Kind::Folder;
            let size = if is_folder { "-".to_owned() } else { size(entry.size) };
            let path = format!("{}{}", entry.path, if is_folder { "/" } else { "" });
            table.row([clock.maybe(deleted_at), size, entry.id.to_string(), path]);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json {
        return Ok(list.end()?);
    }
    if table.is_empty() {
        Ok(context.out.note("nothing was deleted")?)
    } else {
        Ok(table.write(&context.out)?)
    }
}

async fn restore(context: &Context, what: &str, to: Option<&str>) -> Result<(), Failure> {
    let place = Place::read_entry(context, what)?;
    let to = to.map(|to| place.beside(to)).transpose()?;
    let api = context.api()?;
    let id = match place.path.as_str().parse::<Uuid>() {
        Ok(id) => id,
        Err(_) => find(&api, &place).await?,
    };
    bring_back(context, &api, &place, id, to.map(|to| to.path).as_ref()).await
}

/// What was deleted last at a path.
///
/// # Errors
/// When nothing was.
pub async fn find(api: &Api, place: &Place) -> Result<Uuid, Failure> {
    let mut found: Option<Deleted> = None;
    let mut above: Option<DrivePath> = None;
    let mut cursor = None;
    loop {
        let page = api.trash(&place.drive, cursor.as_deref()).await;
        let page = page.map_err(|error| Failure::from(error).about(place))?;
        for deleted in page.items {
            if place.path.is_beneath(&deleted.entry.path) {
                above = Some(deleted.entry.path);
            } else if deleted.entry.path == place.path
                && found.as_ref().is_none_or(|found| found.deleted_at <= deleted.deleted_at)
            {
                found = Some(deleted);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match (found, above) {
        (Some(found), _) => Ok(found.entry.id),
        (None, Some(above)) => Err(Failure::not_found(format!("{place} lies in a folder that was deleted"))
            .hint(format!("bring that back: `holdfast restore {}:{above}`", place.drive))),
        (None, None) => Err(Failure::not_found(format!("nothing that was at {place} is in the trash"))
            .hint("an older version of a file that is there is named by --version; `holdfast history PATH` shows them")),
    }
}

/// Brings something back and says where it is.
///
/// # Errors
/// The server's.
pub async fn bring_back(
    context: &Context,
    api: &Api,
    place: &Place,
    id: Uuid,
    to: Option<&DrivePath>,
) -> Result<(), Failure> {
    let entry = api.restore_deleted(&place.drive, id, to).await.map_err(|error| {
        let is_taken = error.problem().is_some_and(|problem| problem.name() == "exists");
        let failure = Failure::from(error).about(place);
        if is_taken { failure.hint("name another place with --to PATH") } else { failure }
    })?;
    if context.out.json {
        return Ok(context.out.value(&entry)?);
    }
    Ok(context.out.note(&format!("{} is back", place.at(entry.path)))?)
}

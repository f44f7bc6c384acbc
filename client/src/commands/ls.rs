//! `holdfast ls`

use holdfast_protocol::Kind;

use super::place::Place;
use super::{Context, Failure};
use crate::api::types::Entry;
use crate::show::{Clock, JsonList, size, visible};

/// List a folder, or show one file
#[derive(clap::Args)]
#[command(after_long_help = "\
Names of folders end in a slash. Characters that a terminal would obey, or that turn text around, are shown as escapes; --json \
has the names as they are.

--json: an array of {path, kind, hash, size, modified_at, mtime_ns, id}; kind is `file` or `folder`")]
pub struct Args {
    /// What to list; the drive's top folder when absent
    #[arg(value_name = "[DRIVE:]PATH", default_value = "")]
    path: String,
    /// Sizes and times, too
    #[arg(short, long)]
    long: bool,
    /// All beneath it, too
    #[arg(short = 'R', long)]
    recursive: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let place = Place::read(context, &args.path)?;
    let (api, clock) = (context.api()?, context.clock()?);
    let mut list = JsonList::new(&context.out);
    let mut cursor: Option<String> = None;
    loop {
        let page = api.tree(&place.drive, &place.path, args.recursive, cursor.as_deref(), None).await;
        let page = page.map_err(|error| Failure::from(error).about(&place))?;
        for entry in &page.entries {
            if context.out.json {
                list.push(entry)?;
            } else {
                context.out.line(&line(entry, &place, &args, clock))?;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json {
        list.end()?;
    }
    Ok(())
}

fn line(entry: &Entry, place: &Place, args: &Args, clock: Clock) -> String {
    let path = entry.path.as_str();
    let beneath = path.strip_prefix(place.path.as_str()).map(|rest| rest.trim_start_matches('/'));
    // A file that was asked for itself has nothing beneath.
    let name = match beneath {
        Some(rest) if !rest.is_empty() => rest,
        _ => entry.path.name().unwrap_or(path),
    };
    let is_folder = entry.kind == Kind::Folder;
    let name = format!("{}{}", visible(name), if is_folder { "/" } else { "" });
    if !args.long {
        return name;
    }
    let size = if is_folder { "-".to_owned() } else { size(entry.size) };
    format!("{size:>9}  {:<17}  {name}", clock.show(entry.modified_at))
}

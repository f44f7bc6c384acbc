//! `holdfast mkdir`

use super::place::Place;
use super::{Context, Failure};

/// Make folders in a drive
#[derive(clap::Args)]
#[command(
    after_long_help = "A folder that is there already is fine.\n\n--json: an array of {path, kind, hash, size, modified_at, mtime_ns, id}"
)]
pub struct Args {
    /// The folders
    #[arg(value_name = "[DRIVE:]PATH", required = true)]
    paths: Vec<String>,
    /// Make missing folders above
    #[arg(short, long)]
    parents: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let places: Vec<Place> =
        args.paths.iter().map(|path| Place::read_entry(context, path)).collect::<Result<_, _>>()?;
    let api = context.api()?;
    let mut made = Vec::new();
    for place in &places {
        let entry = api.make_folder(&place.drive, &place.path, args.parents).await;
        made.push(entry.map_err(|error| Failure::from(error).about(place))?);
        context.out.note(&format!("{place} is there"))?;
    }
    if context.out.json { Ok(context.out.value(&made)?) } else { Ok(()) }
}

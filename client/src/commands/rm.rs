//! `holdfast rm`

use serde_json::json;

use super::place::Place;
use super::{Context, Failure};

/// Delete files and folders into the trash
#[derive(clap::Args)]
#[command(
    after_long_help = "Nothing is gone: `holdfast trash list` shows what was deleted, `holdfast restore PATH` brings it back.\n\n--json: an array of {path, drive}"
)]
pub struct Args {
    /// What
    #[arg(value_name = "[DRIVE:]PATH", required = true)]
    paths: Vec<String>,
    /// Folders, too, with all that is in them
    #[arg(short, long)]
    recursive: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let places: Vec<Place> =
        args.paths.iter().map(|path| Place::read_entry(context, path)).collect::<Result<_, _>>()?;
    let api = context.api()?;
    let mut deleted = Vec::new();
    for place in &places {
        let about = |error| Failure::from(error).about(place);
        let file = api.file_at(&place.drive, &place.path).await.map_err(about)?;
        if file.is_none() && !args.recursive {
            return Err(Failure::usage(format!("{place} is a folder"))
                .hint("delete it with all that is in it by --recursive"));
        }
        // What was not looked at is not deleted: of a file that another changed just now, that content stays.
        let expect = file.and_then(|file| file.hash);
        api.delete(&place.drive, &place.path, expect.as_ref()).await.map_err(about)?;
        context.out.note(&format!("{place} is in the trash"))?;
        deleted.push(json!({"path": place.path, "drive": place.drive}));
    }
    if context.out.json { Ok(context.out.value(&deleted)?) } else { Ok(()) }
}

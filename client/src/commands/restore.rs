//! `holdfast restore`

use uuid::Uuid;

use super::place::Place;
use super::{Context, Failure, history, trash};
use crate::api::types::Version;
use crate::api::{Api, ApiError, Condition, Put, Source};
use crate::platform;

/// Bring back something deleted, or an older version of a file
#[derive(clap::Args)]
#[command(after_long_help = "\
Without --version, what was deleted last at the path comes back, a folder with all that was in it. With --version, that content \
becomes the newest one of the file; what the file holds now stays in history.

--json: {path, kind, hash, size, modified_at, mtime_ns, id}")]
pub struct Args {
    /// Where it was, or is
    #[arg(value_name = "[DRIVE:]PATH")]
    path: String,
    /// Which version: its number, or its id, from `holdfast history`
    #[arg(long, value_name = "N|ID")]
    version: Option<String>,
    /// Another place to bring it back to, in the same drive; nothing may be there
    #[arg(long, value_name = "PATH")]
    to: Option<String>,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let place = Place::read_entry(context, &args.path)?;
    let to = args.to.as_deref().map(|to| place.beside(to)).transpose()?;
    let api = context.api()?;
    let Some(version) = &args.version else {
        let deleted = trash::find(&api, &place).await?;
        return trash::bring_back(context, &api, &place, deleted, to.map(|to| to.path).as_ref()).await;
    };
    let version = history::find(&api, &place, version).await?;
    let number = version.version_number;
    if let Some(to) = to {
        let written = copy(context, &api, &place, &version, &to).await?;
        if context.out.json {
            return Ok(context.out.value(&written)?);
        }
        return Ok(context.out.note(&format!("{to} has version {number} of {place}"))?);
    }
    let restored = api.restore_version(&place.drive, version.id, None).await;
    let restored = restored.map_err(|error| Failure::from(error).about(&place))?;
    if context.out.json {
        return Ok(context.out.value(&restored)?);
    }
    let at = place.at(restored.entry.path);
    Ok(context
        .out
        .note(&format!("{at} holds version {number} again, as version {}", restored.version_number))?)
}

/// A version's content as a file of its own. The server has no such step, so the bytes pass through this device.
async fn copy(
    context: &Context,
    api: &Api,
    place: &Place,
    version: &Version,
    to: &Place,
) -> Result<crate::api::types::Written, Failure> {
    context
        .state
        .make()
        .map_err(|error| Failure::failed(error.to_string()).about(context.state.folder().display()))?;
    let passing = Passing(context.state.folder().join(format!("passing-{}.part", Uuid::new_v4().simple())));
    let local = |error| Failure::from(ApiError::Local { path: passing.0.clone(), error });
    let file = platform::create_private(&passing.0).map_err(local)?;
    let mut file = tokio::fs::File::from_std(file);
    let source = Source::Version { drive: &place.drive, id: version.id };
    let bar = context.bar(place.path.name().unwrap_or_default(), Some(version.size))?;
    let progress = bar.as_ref().map(crate::show::Bar::progress);
    let fetched = api.fetch(&source, Some(&version.hash), &mut file, progress.as_ref()).await?;
    drop(file);
    let put = Put {
        drive: &to.drive,
        path: &to.path,
        condition: Condition::New,
        mtime_ns: fetched.mtime_ns,
        parents: true,
        hash: Some(fetched.hash),
    };
    api.put_file(&put, &passing.0, progress).await.map_err(|error| match error.problem() {
        Some(problem) if problem.status == 412 => Failure::conflict(format!("{to} is there already")),
        _ => Failure::from(error).about(to),
    })
}

/// A file that is gone when it is no longer needed.
struct Passing(std::path::PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

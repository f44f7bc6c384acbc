//! `holdfastd adopt PATH`: a folder that people have becomes a drive where it is, for whoever may run commands on the server.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, as_owner, print};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::drives::Kind;
use crate::http::api::drives::Survey;
use crate::service::drives::roots::{self, Wanted};
use crate::service::drives::survey;
use crate::service::users;

/// What is to become a drive.
#[derive(Debug, clap::Args)]
pub(super) struct Adopt {
    /// The folder; all that is in it becomes the drive's
    path: PathBuf,
    /// What the drive is called; without it, as the folder is
    #[arg(long)]
    name: Option<String>,
    /// Whose it is; may be left out while there is one account
    #[arg(long, value_name = "USERNAME")]
    owner: Option<String>,
    /// Only tell what is in the folder and what would be in the way; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(adopt: Adopt, config: Config) -> Result<(), Failure> {
    as_owner(&config)?;
    let app = App::open(config, Clock::system()).await?;
    let done = make(&app, adopt).await;
    app.close().await;
    done
}

async fn make(app: &App, adopt: Adopt) -> Result<(), Failure> {
    let path = std::path::absolute(&adopt.path)?;
    let text = |path: &std::ffi::OsStr| path.to_str().map(str::to_owned);
    let root = text(path.as_os_str()).ok_or_else(|| Failure("the folder's path is not UTF-8".to_owned()))?;
    let name = adopt.name.or_else(|| path.file_name().and_then(text));
    let name = name.ok_or_else(|| Failure("name the drive with --name".to_owned()))?;
    let owner = owner(app, adopt.owner).await?;
    let wanted = Wanted { name, kind: Kind::Nas, identifier: None, provider: None, root, adopt: true };
    if adopt.dry_run {
        let found = survey::survey_for(app, owner, wanted).await?;
        return told(&found, adopt.json);
    }
    let drive = roots::create_for(app, owner, wanted).await?;
    if adopt.json {
        return print(&json!({"id": drive.uuid, "name": drive.name, "root": drive.root}).to_string());
    }
    print(&format!("{}  {}  {}", drive.uuid, drive.name, drive.root.unwrap_or_default()))
}

/// The account that is named, else the only one there is.
async fn owner(app: &App, named: Option<String>) -> Result<i64, Failure> {
    if let Some(name) = named {
        return Ok(users::by_name(app, &name).await?.id);
    }
    match users::all(app, 0, 2).await?.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Failure("there is no account yet; make one with `holdfastd user add`".to_owned())),
        _ => Err(Failure("say whose the drive is with --owner".to_owned())),
    }
}

fn told(found: &survey::Survey, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(&Survey::from(found.clone()));
        return print(&text.map_err(|error| Failure(error.to_string()))?);
    }
    let what = match found.signed {
        Some(id) => format!("is the drive {id} again"),
        None => "would be a new drive".to_owned(),
    };
    print(&format!("{} {what}", found.root))?;
    let names = found.names;
    for (count, what) in [
        (found.files, "files"),
        (found.folders, "folders"),
        (found.bytes, "bytes"),
        (found.links, "symbolic links, recorded and not followed"),
        (found.special, "sockets, pipes and devices, left alone"),
        (found.unreadable, "that cannot be read"),
        (found.other_file_systems, "other file systems mounted within, not part of it"),
        (names.refused, "names that cannot be in a drive"),
        (names.twins, "names like another but for case or Unicode form"),
        (names.windows, "names that Windows cannot hold"),
        (names.apple, "names that Apple's systems cannot hold"),
        (names.android, "names that Android cannot hold"),
    ] {
        print(&format!("{count:>12} {what}"))?;
    }
    let system = found.file_system;
    let is = |truth: bool| if truth { "yes" } else { "no" };
    let folds = system.folds_case.map_or("not known", is);
    print(&format!(
        "file system: read-only {}, birth times {}, folds case {folds}; the rest is tried when the drive is made",
        is(system.is_read_only),
        is(system.tells_births),
    ))?;
    for (what, path) in &found.remarks {
        print(&format!("{what}: {}", path.escape_debug()))?;
    }
    if found.is_cut_off {
        print("there is more than was looked at")?;
    }
    Ok(())
}

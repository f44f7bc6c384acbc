//! What other commands set while `sync run` is at work: read again when a file of the state has changed.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use uuid::Uuid;

use super::pair;
use crate::agent::plan::Guard;
use crate::agent::schedule::Schedule;
use crate::commands::{Context, Failure};
use crate::show::visible;
use crate::state::Pair;

/// How often the files are looked at; what their stat tells is enough.
const LOOK: Duration = Duration::from_secs(1);

/// What is set now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The folders, and what each leaves out and whether it rests.
    pub pairs: Vec<Pair>,
    /// When they are synced.
    pub schedule: Schedule,
    /// How many deletions are not asked about.
    pub guard: Guard,
}

impl Live {
    /// Reads it, and sets the pace of contents.
    pub fn read(context: &Context) -> Result<Self, Failure> {
        let config = context.config()?;
        context.limits.set(config.rate("upload-limit"), config.rate("download-limit"));
        Ok(Self { pairs: pair::all(context)?, schedule: config.schedule(), guard: pair::guard(&config) })
    }

    /// A pair, if it is kept in sync still.
    pub fn pair(&self, id: Uuid) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }
}

/// How the files look; a file that is replaced looks otherwise.
fn look(context: &Context) -> [Option<(SystemTime, u64)>; 2] {
    [context.state.pairs_file(), context.state.config_file()].map(|path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    })
}

/// Tells of each change, for as long as somebody listens. What cannot be read changes nothing, and is said once.
pub async fn watch(context: &Context, tell: &watch::Sender<Live>) {
    let mut before = look(context);
    // What changed between the first reading and now.
    let mut is_changed = true;
    loop {
        if is_changed {
            match Live::read(context) {
                Ok(live) => {
                    tell.send_if_modified(|now| {
                        let is_other = *now != live;
                        *now = live;
                        is_other
                    });
                }
                Err(failure) => {
                    eprintln!("holdfast: {}; what was set before holds", visible(&failure.to_string()));
                }
            }
        }
        tokio::time::sleep(LOOK).await;
        let now = look(context);
        is_changed = now != before;
        before = now;
    }
}

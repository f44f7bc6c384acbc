//! `holdfast sync remove`

use std::path::Path;
use std::time::{Duration, Instant};

use super::pair;
use crate::agent::local::{LocalFolder, OpenError};
use crate::commands::{Context, Failure};
use crate::state::Pair;

/// How long whoever syncs the folder has to let it go.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);

pub fn run(context: &Context, local: &Path) -> Result<(), Failure> {
    let pairs = pair::all(context)?;
    let gone = pair::of(&pairs, local)?.clone();
    // Only what is this pair's own: the folder may be another by now.
    let is_ours = LocalFolder::marker(&gone.local).is_some_and(|marker| marker.pair == gone.id);
    pair::change(context, |pairs| {
        pairs.retain(|pair| pair.id != gone.id);
        Ok(())
    })?;
    // A `sync run` of this agent notices and lets it go; whoever else syncs it just now is not disturbed.
    if is_ours && let Err(error) = wait_for(&gone) {
        pair::change(context, |pairs| {
            pairs.push(gone.clone());
            Ok(())
        })?;
        return Err(Failure::conflict(error.to_string()).about(gone.local.display()));
    }
    context.state.forget(&gone)?;
    if is_ours {
        LocalFolder::unmark(&gone.local)?;
    }
    Ok(context.out.note(&format!("{} is kept in sync no more; its files stay", gone.local.display()))?)
}

/// Waits until nobody syncs the folder.
fn wait_for(pair: &Pair) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        match LocalFolder::open(&pair.local, pair.id) {
            Err(OpenError::Busy) if begun.elapsed() < PATIENCE => std::thread::sleep(LOOK),
            other => return other.map(drop),
        }
    }
}

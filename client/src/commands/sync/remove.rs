//! `holdfast sync remove`

use std::path::Path;

use super::pair;
use crate::agent::local::LocalFolder;
use crate::commands::{Context, Failure};

pub fn run(context: &Context, local: &Path) -> Result<(), Failure> {
    let mut pairs = pair::all(context)?;
    let gone = pair::of(&pairs, local)?.clone();
    // Only what is this pair's own: the folder may be another by now. Whoever syncs it just now is not disturbed.
    let is_ours = LocalFolder::marker(&gone.local).is_some_and(|marker| marker.pair == gone.id);
    if is_ours {
        drop(
            LocalFolder::open(&gone.local, gone.id)
                .map_err(|error| Failure::conflict(error.to_string()).about(gone.local.display()))?,
        );
    }
    pairs.retain(|pair| pair.id != gone.id);
    context.state.keep_pairs(pairs)?;
    context.state.forget(&gone)?;
    if is_ours {
        LocalFolder::unmark(&gone.local)?;
    }
    Ok(context.out.note(&format!("{} is kept in sync no more; its files stay", gone.local.display()))?)
}

//! A delta is judged exactly like a whole list: it patches what was claimed before. Unclaimed means "as last claimed",
//! never "as agreed", else a file with an open conflict would be overwritten by the next empty delta (algorithms B).

use std::iter::Peekable;

use holdfast_protocol::PathMap;
use holdfast_protocol::manifest::{Claim, Claims};
use holdfast_protocol::path_map::{Full, PathMapBuilder};

use super::input::Rows;

/// The whole list that a delta stands for.
///
/// # Errors
/// [`Full`] when both together have more path text than one collection holds.
pub fn patched(delta: &Claims, rows: &Rows) -> Result<Claims, Full> {
    let mut before = rows.iter().filter_map(|(path, row)| Some((path, row.claimed?))).peekable();
    let mut whole = PathMapBuilder::<Claim>::with_capacity(rows.len() + delta.len());
    for (path, claim) in delta.iter() {
        copy_until(&mut before, path, &mut whole)?;
        before.next_if(|(at, _)| *at == path);
        if *claim != Claim::Deleted {
            whole.push(path, *claim)?;
        }
    }
    for (path, claim) in before {
        whole.push(path, claim)?;
    }
    finish(whole)
}

fn copy_until<'a>(
    before: &mut Peekable<impl Iterator<Item = (&'a str, Claim)>>,
    path: &str,
    whole: &mut PathMapBuilder<Claim>,
) -> Result<(), Full> {
    while let Some((at, claim)) = before.next_if(|(at, _)| *at < path) {
        whole.push(at, claim)?;
    }
    Ok(())
}

fn finish(whole: PathMapBuilder<Claim>) -> Result<PathMap<Claim>, Full> {
    // Both inputs have each path once, and the merge keeps it so.
    whole.finish().map_err(|_| Full)
}

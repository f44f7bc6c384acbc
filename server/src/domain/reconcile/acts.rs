//! What an explicit sync act of a device does to its agreement (algorithms B rule b). Only such acts: what an app or the
//! mount writes is not in the synced folder. What was claimed stays as claimed; the next manifest says what became of it.

use holdfast_protocol::PathMap;
use holdfast_protocol::path::beneath;
use holdfast_protocol::path_map::{Full, PathMapBuilder};

use super::input::{Agreed, Row, Rows, ServerNode, ServerNodes};
use super::view::View;

/// The row after the device's PUT, or its making of a folder, of which `node` is the result.
pub fn put(row: Option<Row>, node: &ServerNode) -> Row {
    row.unwrap_or_default().agree(Agreed::Held(node.value), Some(node))
}

/// The row after the device's DELETE; `None` when the row goes.
pub fn deleted(row: Row) -> Option<Row> {
    let row = row.forget();
    (!row.is_empty()).then_some(row)
}

/// A move that was just committed.
pub struct Moved<'a> {
    /// The old path, without leading slash.
    pub from: &'a str,
    /// The new path.
    pub to: &'a str,
    /// The device's rows at and beneath both paths.
    pub rows: &'a Rows,
    /// The nodes at and beneath `from` before the move.
    pub before: &'a ServerNodes,
    /// The nodes at and beneath `to` after it.
    pub after: &'a ServerNodes,
}

/// The rows that change by the device's MOVE: re-keyed, values unchanged. The device may not hold what others put into
/// that folder, so nothing becomes agreed by it; what was untouched before stays untouched.
///
/// # Errors
/// [`Full`] when they have more path text than one collection holds.
pub fn moved(act: &Moved<'_>) -> Result<PathMap<Option<Row>>, Full> {
    let mut changed = PathMapBuilder::new();
    let agreed = act
        .rows
        .iter()
        .filter(|(path, row)| row.agreed.is_some() && (*path == act.from || beneath(path, act.from)));
    for (path, row) in agreed {
        let target = format!("{}{}", act.to, &path[act.from.len()..]);
        let after = act.after.get(&target);
        let untouched = View::is_untouched(Some(row), act.before.get(path));
        let claimed = act.rows.get(&target).and_then(|row| row.claimed);
        let (agreed_seq, node) = match after {
            Some(after) if untouched && row.agreed == Some(Agreed::Held(after.value)) => {
                (after.seq, after.id)
            }
            _ => (row.agreed_seq, row.node),
        };
        changed.push(path, deleted(row.clone()))?;
        changed.push(&target, Some(Row { claimed, agreed: row.agreed, agreed_seq, node, forced: None }))?;
    }
    // A target path is never at or beneath the source: a node cannot be moved into itself.
    changed.finish().map_err(|_| Full)
}

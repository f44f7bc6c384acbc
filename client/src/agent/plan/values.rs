//! What becomes of a file's content, its name apart.

use holdfast_protocol::{ContentHash, Kind};

use super::View;
use super::entities::Thing;
use crate::agent::trees::What;

/// What becomes of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Both hold the same, or it is a folder, or only one side has it.
    Same,
    /// The server's comes here.
    Download,
    /// What is here goes there.
    Upload,
    /// Both changed.
    Both,
    /// The node's history decides: whether what is here is only older.
    Ask,
    /// What is here is being written: not now.
    Wait,
}

/// Of something that both sides hold.
pub fn of(view: &View<'_>, thing: &Thing<'_>) -> Value {
    let (Some(node), Some(index), Kind::File) = (thing.remote, thing.local, thing.kind) else {
        return Value::Same;
    };
    let What::File(Some(here)) = view.local.get(index).what else { return Value::Wait };
    if node.hash == Some(here) {
        return Value::Same;
    }
    match thing.base.map(|row| row.hash) {
        Some(agreed) if agreed == Some(here) => Value::Download,
        Some(agreed) if agreed == node.hash => Value::Upload,
        _ => against(view, node.id, here),
    }
}

/// Of a content here and a node that changed as well.
pub fn against(view: &View<'_>, id: crate::agent::trees::NodeId, here: ContentHash) -> Value {
    match view.settings.histories.get(&id) {
        // An older version of that very node: stale, and nothing is lost (algorithms B rule 2).
        Some(history) if history.contains(&here) => Value::Download,
        Some(_) => Value::Both,
        None => Value::Ask,
    }
}

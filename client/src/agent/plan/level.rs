//! Whether there is anything to decide at all: a look at the trees in which nothing is built, for the many syncs in which
//! nothing has changed.

use holdfast_protocol::Kind;

use super::{Settings, look_of};
use crate::agent::trees::{BaseRow, BaseTree, ByInode, LocalTree, NodeId, RemoteTree, State, What};

/// Whether the server's tree is what was agreed on, but for sequences, which are told: those rows are to be noted then.
pub fn with_remote(remote: &RemoteTree, base: &BaseTree, settings: &Settings) -> Option<Vec<BaseRow>> {
    if !settings.left_out.is_empty() || remote.names_to(settings.root).is_none() {
        return None;
    }
    let mut news = Vec::new();
    // Both by id.
    let mut rows = base.iter().peekable();
    for node in remote.iter() {
        let Some(row) = rows.next_if(|row| row.id <= node.id) else {
            if is_beneath(remote, node.id, settings.root) {
                return None;
            }
            continue;
        };
        let is_same = row.id == node.id
            && node.state == State::Live
            && node.parent == Some(row.parent)
            && (node.kind, &node.name, node.hash) == (row.kind, &row.name, row.hash);
        if !is_same {
            return None;
        }
        if row.seq != Some(node.seq) {
            news.push(BaseRow { seq: Some(node.seq), ..row.clone() });
        }
    }
    rows.next().is_none().then_some(news)
}

/// Whether a node is there, somewhere in a folder that is.
pub(super) fn is_beneath(remote: &RemoteTree, id: NodeId, folder: NodeId) -> bool {
    let mut node = remote.get(id).filter(|node| node.id != folder);
    // What was told in pieces might, for a while, lead round in circles.
    for _ in 0..=remote.len() {
        match node {
            Some(there) if there.state == State::Dead => return false,
            Some(there) if there.parent == Some(folder) => return true,
            Some(there) => node = there.parent.and_then(|parent| remote.get(parent)),
            None => return false,
        }
    }
    false
}

/// Whether the folder is what was agreed on, but for how files look that were hashed once more: those rows are to be noted then.
pub fn with_local(local: &LocalTree, base: &BaseTree, settings: &Settings) -> Option<Vec<BaseRow>> {
    if !settings.left_out.is_empty() {
        return None;
    }
    let known: ByInode<&BaseRow> =
        base.iter().filter_map(|row| Some((row.look?.ino, row))).filter(|(ino, _)| *ino != 0).collect();
    if known.len() != base.len() {
        return None;
    }
    let mut news = Vec::new();
    let mut seen = 0;
    let mut ids = vec![NodeId::nil(); local.end()];
    ids[0] = settings.root;
    for (index, entry) in local.iter().skip(1) {
        if entry.what == What::Ignored {
            continue;
        }
        let row = known.get(&entry.look.ino)?;
        let (kind, hash) = match entry.what {
            What::File(Some(hash)) => (Kind::File, Some(hash)),
            What::Folder => (Kind::Folder, None),
            _ => return None,
        };
        let look = look_of(kind, entry.look);
        let is_same = row.look.is_some_and(|known| known.is_same_file(&look))
            && (row.kind, row.hash, row.parent) == (kind, hash, ids[entry.parent])
            && row.name == entry.name;
        if !is_same {
            return None;
        }
        if row.look != Some(look) {
            news.push(BaseRow { look: Some(look), ..(*row).clone() });
        }
        ids[index] = row.id;
        seen += 1;
    }
    (seen == base.len()).then_some(news)
}

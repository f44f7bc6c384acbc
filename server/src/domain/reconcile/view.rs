//! What a rule may ask about paths other than the one it judges.

use holdfast_protocol::Value;
use holdfast_protocol::manifest::Claim;
use holdfast_protocol::path::ancestors;

use super::input::{Agreed, Input, Row, ServerNode};

/// The input, and what follows from it for many paths at once.
pub(super) struct View<'a> {
    pub(super) input: &'a Input<'a>,
    /// What the device could not read; sorted.
    unreadable: Vec<&'a str>,
}

impl<'a> View<'a> {
    pub(super) fn new(input: &'a Input<'_>) -> Self {
        let unreadable = input
            .claims
            .iter()
            .filter(|(_, claim)| **claim == Claim::Unreadable)
            .map(|(path, _)| path)
            .collect();
        Self { input, unreadable }
    }

    /// What the server has at a path, folders included.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        self.input.nodes.get(path).map(|node| node.value)
    }

    /// Beneath something that the device could not read: its absence from the list means nothing (rule 0).
    pub(super) fn is_hidden(&self, path: &str) -> bool {
        !self.unreadable.is_empty()
            && ancestors(path).any(|folder| self.unreadable.binary_search(&folder).is_ok())
    }

    /// The agreement still stands: same value and same seq. An equal value alone is not enough, it may have died and
    /// come back meanwhile (rule 3).
    pub(super) fn is_untouched(row: Option<&Row>, node: Option<&ServerNode>) -> bool {
        matches!((row, node), (Some(row), Some(node))
            if row.agreed == Some(Agreed::Held(node.value)) && row.agreed_seq == node.seq)
    }

    /// The device no longer has what it and the server held here, and nobody else touched it. A row that `keep_local`
    /// wrote never says so: the device has not held what it names (rule 3).
    pub(super) fn client_deletes(&self, path: &str) -> bool {
        if !self.input.sent.infer_deletions {
            return false;
        }
        let vacated = match self.input.claims.get(path) {
            None | Some(Claim::Deleted) => !self.is_hidden(path),
            Some(Claim::Held(Value::Folder)) => true,
            Some(Claim::Held(Value::File(_)) | Claim::Unreadable) => false,
        };
        let row = self.input.rows.get(path);
        vacated
            && row.is_some_and(|row| row.forced.is_none())
            && Self::is_untouched(row, self.input.nodes.get(path))
    }

    /// The outermost file of the server that stands where the device has a folder above the path, unless the device
    /// deletes it in the same plan.
    pub(super) fn blocked_by<'p>(&self, path: &'p str) -> Option<&'p str> {
        ancestors(path).filter(|above| self.is_file(above) && !self.client_deletes(above)).last()
    }

    /// Every file of the server beneath a folder is deleted by the client; true for a folder without files.
    pub(super) fn client_empties(&self, folder: &str) -> bool {
        self.files_beneath(folder).all(|path| self.client_deletes(path))
    }

    /// Some file of the server is beneath a folder.
    pub(super) fn has_files(&self, folder: &str) -> bool {
        self.files_beneath(folder).next().is_some()
    }

    /// The device lists nothing but folders beneath a folder.
    pub(super) fn claims_only_folders(&self, folder: &str) -> bool {
        self.input
            .claims
            .beneath(folder)
            .all(|(_, claim)| matches!(claim, Claim::Held(Value::Folder) | Claim::Deleted))
    }

    fn files_beneath(&self, folder: &str) -> impl Iterator<Item = &str> {
        self.input.nodes.beneath(folder).filter(|(_, node)| !node.value.is_folder()).map(|(path, _)| path)
    }

    fn is_file(&self, path: &str) -> bool {
        self.value(path).is_some_and(|value| !value.is_folder())
    }
}

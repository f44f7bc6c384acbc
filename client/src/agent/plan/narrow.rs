//! The part of the three trees that a plan can depend on, so that planning costs what changed and not what exists.
//!
//! A row is *still* when nothing of it differs: the server's node is what was agreed on, and so is the one entry here that has
//! its inode. What is not still is *news*. A plan can depend on the news, on all that is below a folder that is news, on what
//! else is in the folders that news is in or comes from (it may want the same name), and on the folders above, of which the
//! contents do not matter. All else would go through a plan unchanged, and is left out of it.

use std::collections::{BTreeSet, HashMap};

use holdfast_protocol::Kind;

use super::level::is_beneath;
use super::{Settings, View, look_of};
use crate::agent::trees::{
    BaseRow, BaseTree, ByInode, LocalTree, NodeId, RemoteNode, RemoteTree, State, What,
};

/// The three trees, without what is still and out of reach.
pub struct Narrowed {
    /// The server's.
    pub remote: RemoteTree,
    /// What was agreed on.
    pub base: BaseTree,
    /// The folder.
    pub local: LocalTree,
    /// Files that were left out; all are still.
    pub still: usize,
}

/// Nothing, where a number of a row or an entry may stand.
const NONE: u32 = u32::MAX;

impl Narrowed {
    /// What there is to look at.
    pub fn view<'a>(&'a self, settings: &'a Settings) -> View<'a> {
        View { remote: &self.remote, base: &self.base, local: &self.local, settings, still: self.still }
    }
}

/// Narrows the trees; `None` where more is news than that, so that nothing is won.
pub fn narrow(view: &View<'_>, most: usize) -> Option<Narrowed> {
    let mut narrowing = Narrowing::new(view)?;
    let news = narrowing.news();
    if news.len() > most {
        return None;
    }
    narrowing.index();
    for one in news {
        narrowing.news_is(one);
    }
    narrowing.close();
    Some(narrowing.kept())
}

/// One thing in one of the trees: the number of a row, the index of an entry, a node of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Row(u32),
    Local(usize),
    Remote(NodeId),
}

struct Narrowing<'a> {
    remote: &'a RemoteTree,
    local: &'a LocalTree,
    settings: &'a Settings,
    /// By id.
    rows: Vec<&'a BaseRow>,
    /// By row: the one entry with its inode.
    local_of: Vec<u32>,
    /// By entry: the one row with its inode.
    row_at: Vec<u32>,
    /// Rows by the folder they are in.
    by_parent: Vec<u32>,
    kept_rows: Vec<bool>,
    kept_local: Vec<bool>,
    kept_remote: BTreeSet<NodeId>,
    /// What was kept, and of which nothing more was asked yet.
    fresh: Vec<At>,
    /// Folders all of whose contents are kept, or only what is directly in them.
    opened: HashMap<NodeId, bool>,
    opened_here: HashMap<usize, bool>,
}

impl<'a> Narrowing<'a> {
    fn new(view: &View<'a>) -> Option<Self> {
        let View { remote, base, local, settings, .. } = *view;
        let rows: Vec<&BaseRow> = base.iter().collect();
        // Beyond that many, numbers do not tell apart.
        let count = u32::try_from(rows.len().max(local.end())).ok().filter(|count| *count != NONE)?;
        let mut by_inode: ByInode<u32> = ByInode::default();
        by_inode.reserve(rows.len());
        for (number, row) in (0..count).zip(&rows) {
            if let Some(ino) = row.look.map(|look| look.ino).filter(|ino| *ino != 0) {
                by_inode.entry(ino).and_modify(|one| *one = NONE).or_insert(number);
            }
        }
        let mut local_of = vec![NONE; rows.len()];
        let mut row_at = vec![NONE; local.end()];
        let mut twice = Vec::new();
        for (at, entry) in local.iter().skip(1) {
            let Ok(index) = u32::try_from(at) else { continue };
            let Some(row) = by_inode.get(&entry.look.ino).copied().filter(|row| *row != NONE) else {
                continue;
            };
            let of = &mut local_of[row as usize];
            if *of == NONE {
                *of = index;
                row_at[at] = row;
            } else {
                twice.push(row);
            }
        }
        // An inode with several names stands for none of them.
        for row in twice {
            let index = std::mem::replace(&mut local_of[row as usize], NONE);
            if index != NONE {
                row_at[index as usize] = NONE;
            }
        }
        Some(Self {
            remote,
            local,
            settings,
            local_of,
            row_at,
            by_parent: Vec::new(),
            kept_rows: vec![false; rows.len()],
            kept_local: vec![false; local.end()],
            kept_remote: BTreeSet::new(),
            fresh: Vec::new(),
            opened: HashMap::new(),
            opened_here: HashMap::new(),
            rows,
        })
    }

    /// All that is not still.
    fn news(&self) -> Vec<At> {
        let mut news = Vec::new();
        let mut is_still = vec![false; self.rows.len()];
        let mut nodes = self.remote.iter().peekable();
        for (number, row) in (0..).zip(&self.rows) {
            while let Some(node) = nodes.next_if(|node| node.id < row.id) {
                news.extend(self.is_news(node).then_some(At::Remote(node.id)));
            }
            let node = nodes.next_if(|node| node.id == row.id);
            is_still[number as usize] =
                node.is_some_and(|node| is_as_agreed(node, row)) && self.is_here(number, row);
            if !is_still[number as usize] {
                news.push(At::Row(number));
            }
        }
        news.extend(nodes.filter(|node| self.is_news(node)).map(|node| At::Remote(node.id)));
        let stands = |index: usize| {
            let row = self.row_at[index];
            row != NONE && is_still[row as usize]
        };
        news.extend(
            self.local.iter().skip(1).map(|(index, _)| index).filter(|index| !stands(*index)).map(At::Local),
        );
        for one in &self.settings.left_out {
            news.extend(self.number(one.id).map(At::Row));
            news.extend(self.remote.get(one.id).map(|node| At::Remote(node.id)));
            news.extend(self.local.find(&one.path).filter(|index| *index != 0).map(At::Local));
        }
        news
    }

    /// Of a node that nothing was agreed about.
    fn is_news(&self, node: &RemoteNode) -> bool {
        node.state != State::Dead
            && node.id != self.settings.root
            && is_beneath(self.remote, node.id, self.settings.root)
    }

    /// Whether a row's entry is as it was agreed on.
    fn is_here(&self, number: u32, row: &BaseRow) -> bool {
        let index = self.local_of[number as usize];
        if index == NONE {
            return false;
        }
        let entry = self.local.get(index as usize);
        let (kind, hash) = match entry.what {
            What::File(Some(hash)) => (Kind::File, Some(hash)),
            What::Folder => (Kind::Folder, None),
            _ => return false,
        };
        let above = if entry.parent == 0 {
            Some(self.settings.root)
        } else {
            self.rows.get(self.row_at[entry.parent] as usize).map(|row| row.id)
        };
        (row.kind, row.hash, Some(row.parent)) == (kind, hash, above)
            && row.name == entry.name
            && row.look == Some(look_of(kind, entry.look))
    }

    fn number(&self, id: NodeId) -> Option<u32> {
        let at = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        u32::try_from(at).ok()
    }

    fn index(&mut self) {
        self.by_parent = (0..).take(self.rows.len()).collect();
        let rows = &self.rows;
        self.by_parent.sort_unstable_by_key(|number| (rows[*number as usize].parent, *number));
    }

    /// Keeps a thing whole: with all that is in it, if it is a folder, and with what is beside it on either side.
    fn news_is(&mut self, at: At) {
        self.keep(at);
        match at {
            At::Row(number) => {
                let row = self.rows[number as usize];
                self.open(row.parent, false);
                self.open(row.id, true);
            }
            At::Remote(id) => self.open(id, true),
            At::Local(index) => self.open_here(index, true),
        }
        match at {
            At::Row(number) => {
                let id = self.rows[number as usize].id;
                self.beside(self.remote.get(id));
                self.beside_here(self.local_of[number as usize] as usize);
            }
            At::Remote(id) => self.beside(self.remote.get(id)),
            At::Local(index) => self.beside_here(index),
        }
    }

    fn beside(&mut self, node: Option<&RemoteNode>) {
        if let Some(parent) = node.and_then(|node| node.parent) {
            self.open(parent, false);
        }
    }

    fn beside_here(&mut self, index: usize) {
        if index < self.local.end() {
            self.open_here(self.local.get(index).parent, false);
        }
    }

    /// Keeps what is in a folder, by its id.
    fn open(&mut self, folder: NodeId, whole: bool) {
        match self.opened.get_mut(&folder) {
            Some(was) if *was || !whole => return,
            Some(was) => *was = true,
            None => drop(self.opened.insert(folder, whole)),
        }
        let rows = &self.rows;
        let mut at = self.by_parent.partition_point(|number| rows[*number as usize].parent < folder);
        while let Some(number) = self.by_parent.get(at).copied()
            && self.rows[number as usize].parent == folder
        {
            self.inside(At::Row(number), whole);
            at += 1;
        }
        let nodes: Vec<NodeId> = self.remote.children(folder).map(|node| node.id).collect();
        nodes.into_iter().for_each(|id| self.inside(At::Remote(id), whole));
        if folder == self.settings.root {
            self.open_here(0, whole);
        } else if let Some(number) = self.number(folder) {
            self.open_here(self.local_of[number as usize] as usize, whole);
        }
    }

    /// Keeps what is in a folder of this device.
    fn open_here(&mut self, index: usize, whole: bool) {
        if index >= self.local.end() {
            return;
        }
        match self.opened_here.get_mut(&index) {
            Some(was) if *was || !whole => return,
            Some(was) => *was = true,
            None => drop(self.opened_here.insert(index, whole)),
        }
        let inside: Vec<usize> = self.local.children(index).collect();
        inside.into_iter().for_each(|child| self.inside(At::Local(child), whole));
        if index == 0 {
            self.open(self.settings.root, whole);
        } else if let Some(row) = self.rows.get(self.row_at[index] as usize) {
            self.open(row.id, whole);
        }
    }

    fn inside(&mut self, at: At, whole: bool) {
        if whole { self.news_is(at) } else { self.keep(at) }
    }

    fn keep(&mut self, at: At) {
        let is_new = match at {
            At::Row(number) => !std::mem::replace(&mut self.kept_rows[number as usize], true),
            At::Local(index) => !std::mem::replace(&mut self.kept_local[index], true),
            At::Remote(id) => self.remote.get(id).is_some() && self.kept_remote.insert(id),
        };
        if is_new {
            self.fresh.push(at);
        }
    }

    /// Keeps what stands for what is kept on the other sides, and the folders above.
    fn close(&mut self) {
        self.keep(At::Remote(self.settings.root));
        // A name that something has on its way is taken at the top.
        self.open(self.settings.root, false);
        while let Some(at) = self.fresh.pop() {
            match at {
                At::Row(number) => {
                    let row = self.rows[number as usize];
                    self.keep(At::Remote(row.id));
                    self.keep_row_of(row.parent);
                    let index = self.local_of[number as usize];
                    if index != NONE {
                        self.keep(At::Local(index as usize));
                    }
                }
                At::Local(index) => {
                    self.keep(At::Local(self.local.get(index).parent));
                    if self.row_at[index] != NONE {
                        self.keep(At::Row(self.row_at[index]));
                    }
                }
                At::Remote(id) => {
                    self.keep_row_of(id);
                    if let Some(parent) = self.remote.get(id).and_then(|node| node.parent) {
                        self.keep(At::Remote(parent));
                    }
                }
            }
        }
    }

    fn keep_row_of(&mut self, id: NodeId) {
        if let Some(number) = self.number(id) {
            self.keep(At::Row(number));
        }
    }

    fn kept(self) -> Narrowed {
        let mut remote = RemoteTree::default();
        self.kept_remote
            .iter()
            .filter_map(|id| self.remote.get(*id))
            .for_each(|node| remote.take(node.clone()));
        let kept = |(row, kept): (&&'a BaseRow, &bool)| kept.then(|| (*row).clone());
        let base: BaseTree = self.rows.iter().zip(&self.kept_rows).filter_map(kept).collect();
        let is_file = |row: &BaseRow| row.kind == Kind::File;
        let files = base.iter().filter(|row| is_file(row)).count();
        let still = self.rows.iter().filter(|row| is_file(row)).count() - files;
        let mut local = LocalTree::ignoring(self.local.get(0).look, self.local.ignore().clone());
        let mut index_of: HashMap<usize, usize> = HashMap::from([(0, 0)]);
        for (index, entry) in self.local.iter().skip(1).filter(|(index, _)| self.kept_local[*index]) {
            // Folders above what is kept are kept as well, and come first.
            if let Some(parent) = index_of.get(&entry.parent).copied() {
                index_of.insert(index, local.add(parent, &entry.name, entry.what, entry.look));
            }
        }
        Narrowed { remote, base, local, still }
    }
}

/// Whether a node is what was agreed on.
fn is_as_agreed(node: &RemoteNode, row: &BaseRow) -> bool {
    node.state == State::Live
        && node.parent == Some(row.parent)
        && (node.kind, &node.name, node.hash, Some(node.seq)) == (row.kind, &row.name, row.hash, row.seq)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use holdfast_protocol::ContentHash;

    use super::*;
    use crate::agent::plan::order;
    use crate::agent::trees::Look;

    fn look(ino: u64) -> Look {
        Look { ino, btime_ns: 1, size: 0, mtime_ns: 1, ctime_ns: 1 }
    }

    /// Ten folders with a hundred files each, all three trees alike.
    fn trees() -> (RemoteTree, BaseTree, LocalTree) {
        let (mut remote, mut base) = (RemoteTree::default(), BaseTree::default());
        let mut local = LocalTree::new(look(1));
        let mut made = 1;
        let mut add = |parent: NodeId, above: usize, name: String, hash: Option<ContentHash>| {
            made += 1;
            let (id, kind) =
                (NodeId::from_u128(made), if hash.is_some() { Kind::File } else { Kind::Folder });
            let look = look_of(kind, look(u64::try_from(made).unwrap()));
            let node = RemoteNode {
                id,
                parent: Some(parent),
                name: name.clone(),
                kind,
                state: State::Live,
                hash,
                size: 0,
                mtime_ns: 1,
                seq: i64::try_from(made).unwrap(),
            };
            base.set(order::row_of(&node, Some(look)));
            remote.take(node);
            let what = if hash.is_some() { What::File(hash) } else { What::Folder };
            (id, local.add(above, &name, what, look))
        };
        for folder in 0..10 {
            let (id, index) = add(RemoteTree::ROOT, 0, format!("folder {folder}"), None);
            for file in 0..100 {
                add(id, index, format!("file {file}"), Some(ContentHash::EMPTY));
            }
        }
        (remote, base, local)
    }

    fn narrowed(remote: &RemoteTree, base: &BaseTree, local: &LocalTree) -> Narrowed {
        let settings = Settings { root: RemoteTree::ROOT, ..Settings::default() };
        narrow(&View { remote, base, local, settings: &settings, still: 0 }, usize::MAX).unwrap()
    }

    #[test]
    fn where_nothing_is_news_only_the_top_is_looked_at() {
        let (remote, base, local) = trees();
        let narrowed = narrowed(&remote, &base, &local);
        assert_eq!((narrowed.base.len(), narrowed.local.len(), narrowed.remote.len()), (10, 11, 11));
        assert_eq!(narrowed.still, 1_000);
    }

    #[test]
    fn an_edited_file_is_looked_at_with_what_is_beside_it() {
        let (mut remote, base, local) = trees();
        let edited = base.iter().find(|row| row.name == "file 7").unwrap();
        let node = remote.get(edited.id).unwrap().clone();
        remote.take(RemoteNode { seq: 9_999, ..node });
        let narrowed = narrowed(&remote, &base, &local);
        assert_eq!((narrowed.base.len(), narrowed.local.len(), narrowed.remote.len()), (110, 111, 111));
        assert_eq!(narrowed.still, 900);
    }

    #[test]
    fn a_renamed_folder_is_looked_at_whole() {
        let (mut remote, base, local) = trees();
        let renamed = base.iter().find(|row| row.name == "folder 3").unwrap();
        let node = remote.get(renamed.id).unwrap().clone();
        remote.take(RemoteNode { name: "renamed".to_owned(), seq: 9_999, ..node });
        let narrowed = narrowed(&remote, &base, &local);
        assert_eq!((narrowed.base.len(), narrowed.local.len(), narrowed.remote.len()), (110, 111, 111));
    }
}

//! Doing one step, and noting it together with what was agreed on by it.

use holdfast_protocol::{ContentHash, DrivePath, Kind};

use super::{Engine, Report};
use crate::agent::contract::{Disk, Incoming, Put, Remote, Trouble};
use crate::agent::plan::{Entity, Intent, Step};
use crate::agent::store::Note;
use crate::agent::trees::{BaseRow, Look, NodeId};

/// A content to be sent.
struct Sending {
    entity: Entity,
    local: String,
    path: DrivePath,
    parent: Entity,
    name: String,
    hash: ContentHash,
    look: Look,
    expect: Option<ContentHash>,
    was: Option<NodeId>,
}

impl Step {
    /// What the step is about, for people and for whoever counts its failures.
    pub fn key(&self) -> &str {
        match self {
            Self::Agree { row } => &row.name,
            Self::Forget { .. } => "",
            Self::MakeLocal { path, .. } | Self::DeleteLocal { path, .. } | Self::Download { path, .. } => {
                path
            }
            Self::MakeRemote { local, .. } | Self::Upload { local, .. } => local,
            Self::MoveLocal { to, .. } => to,
            Self::MoveRemote { below, .. } | Self::DeleteRemote { below, .. } => below,
        }
    }
}

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    pub(super) fn step(
        &mut self,
        step: Step,
        ids: &mut [Option<NodeId>],
        report: &mut Report,
    ) -> Result<(), Trouble> {
        let what = match step {
            Step::Agree { mut row } => {
                row.look = row.look.map(|look| self.kept(row.kind, look));
                self.note(vec![Note::Agreed(row)])?;
                return Ok(());
            }
            Step::Forget { id } => {
                self.note(vec![Note::Gone(id)])?;
                return Ok(());
            }
            Step::MakeLocal { path, mut row } => {
                row.look = Some(self.kept(Kind::Folder, self.disk.make_folder(&path)?));
                self.note(vec![Note::Agreed(row)])?;
                "folders made here"
            }
            Step::MakeRemote { entity, path, parent, name, look, was, .. } => {
                let parent = id_of(ids, parent)?;
                self.note(vec![Note::Intent(Intent::Make { parent, name: name.clone() })])?;
                let id = self.remote.make_folder(&path)?.id;
                ids[entity] = Some(id);
                let row = BaseRow {
                    id,
                    parent,
                    name,
                    kind: Kind::Folder,
                    hash: None,
                    seq: None,
                    look: Some(self.kept(Kind::Folder, look)),
                };
                self.note(was.into_iter().map(Note::Gone).chain([Note::Agreed(row)]).collect())?;
                "folders made there"
            }
            Step::MoveLocal { from, to, look, agreed, leaves } => {
                if let Some(id) = leaves {
                    self.note(vec![Note::Looks { id, look: None }])?;
                }
                let (before, after) = self.disk.rename(&from, &to, &look)?;
                if let Some((id, parent, name)) = agreed {
                    self.renamed(id, id_of(ids, parent)?, name, before, after)?;
                }
                "moved here"
            }
            Step::MoveRemote { id, from, to, expect, parent, name, .. } => {
                let parent = id_of(ids, parent)?;
                self.note(vec![Note::Intent(Intent::Move { id, parent, name: name.clone() })])?;
                self.remote.rename(&from, &to, expect)?;
                self.note(vec![Note::Place { id, parent, name, by_us: true }])?;
                "moved there"
            }
            Step::DeleteLocal { id, path, kind, look } => {
                self.expect_settled(&path, Some(&look))?;
                match kind {
                    Kind::File => self.disk.remove_file(&path, &look)?,
                    Kind::Folder => self.disk.remove_folder(&path)?,
                }
                self.note(vec![Note::Gone(id)])?;
                "removed here"
            }
            Step::DeleteRemote { id, path, expect, .. } => {
                match expect {
                    Some(hash) => self.remote.delete_file(&path, hash)?,
                    None => self.remote.delete_folder(&path)?,
                }
                self.note(vec![Note::Gone(id)])?;
                "removed there"
            }
            Step::Download { from, path, size, mtime_ns, replaces, mut row } => {
                self.expect_settled(&path, replaces.as_ref())?;
                let hash = row.hash.ok_or_else(|| Trouble::Item("the server names no content".to_owned()))?;
                let mut body = self.remote.open(&from, hash)?;
                let incoming = Incoming { hash, size, mtime_ns };
                let look = self.disk.place(&path, &mut *body, &incoming, replaces.as_ref())?;
                row.look = Some(self.kept(Kind::File, look));
                self.note(vec![Note::Agreed(row)])?;
                report.received += size;
                "received"
            }
            Step::Upload { entity, local, path, parent, name, hash, look, expect, was } => {
                let sending = Sending { entity, local, path, parent, name, hash, look, expect, was };
                report.sent += look.size;
                self.send(sending, ids)?;
                "sent"
            }
        };
        *report.done.entry(what).or_default() += 1;
        Ok(())
    }

    fn renamed(
        &mut self,
        id: NodeId,
        parent: NodeId,
        name: String,
        before: Look,
        after: Look,
    ) -> Result<(), Trouble> {
        let mut notes = vec![Note::Place { id, parent, name, by_us: false }];
        // Renaming changes the time of the inode; what was known to be untouched is so still.
        if let Some(row) = self.memory.base.get(id)
            && row.kind == Kind::File
            && row.look.is_some_and(|look| look.is_untouched(&before))
        {
            notes.push(Note::Looks { id, look: Some(self.kept(Kind::File, after)) });
        }
        self.note(notes)
    }

    fn send(&mut self, sending: Sending, ids: &mut [Option<NodeId>]) -> Result<(), Trouble> {
        let Sending { entity, local, path, parent, name, hash, look, expect, was } = sending;
        let parent = id_of(ids, parent)?;
        let id = ids[entity];
        self.note(vec![Note::Intent(Intent::Put { id, parent, name: name.clone(), hash })])?;
        let content = self.disk.open(&local, &look)?;
        let put = Put { path, hash, size: look.size, mtime_ns: look.mtime_ns, expect };
        let written = self.remote.put(&put, content)?;
        ids[entity] = Some(written.id);
        // As it was judged, not as it looks now: what was written to it meanwhile is then seen as a change.
        let look = Some(self.kept(Kind::File, look));
        let row =
            BaseRow { id: written.id, parent, name, kind: Kind::File, hash: Some(hash), seq: None, look };
        let gone = was.or(id).filter(|id| *id != written.id);
        self.note(gone.into_iter().map(Note::Gone).chain([Note::Agreed(row)]).collect())
    }

    /// Nothing is taken away that was written to so shortly before it was judged that it may have been again since.
    fn expect_settled(&self, path: &str, judged: Option<&Look>) -> Result<(), Trouble> {
        if judged.is_some_and(|look| self.fresh.borrow().contains(look)) {
            self.disk.settle();
            return Err(Trouble::Changed(format!("{path} was written to just now")));
        }
        Ok(())
    }

    /// A look as a row keeps it.
    fn kept(&self, kind: Kind, look: Look) -> Look {
        crate::agent::plan::look_of(kind, self.disk.settled(look))
    }
}

/// The node of an entity that has to have one by now.
fn id_of(ids: &[Option<NodeId>], entity: Entity) -> Result<NodeId, Trouble> {
    let id = ids.get(entity).copied().flatten();
    id.ok_or_else(|| Trouble::Changed("the folder above was not made".to_owned()))
}

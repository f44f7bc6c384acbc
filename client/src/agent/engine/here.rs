//! Steps in the device's folder, contents apart.

use holdfast_protocol::Kind;

use super::Engine;
use super::groups::Run;
use crate::agent::contract::{Disk, Remote, Trouble};
use crate::agent::plan::Step;
use crate::agent::store::Note;
use crate::agent::trees::{Look, NodeId};

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    /// What both hold, or neither.
    pub(super) fn agree(&mut self, steps: Vec<Step>) -> Result<bool, Trouble> {
        let noted = steps.into_iter().filter_map(|step| match step {
            Step::Agree { mut row } => {
                row.look = row.look.map(|look| self.judged(row.kind, look));
                Some(Note::Agreed(row))
            }
            Step::Forget { id } => Some(Note::Gone(id)),
            _ => None,
        });
        let noted = noted.collect();
        self.note(noted)?;
        Ok(true)
    }

    /// Does steps in the folder, and notes them when they last. Whether all were done.
    pub(super) fn here(&mut self, steps: Vec<Step>, run: &mut Run<'_>) -> Result<bool, Trouble> {
        let mut notes = Vec::new();
        let mut is_done = true;
        for step in steps {
            let key = step.key().to_owned();
            let is_deletion = matches!(step, Step::DeleteLocal { .. });
            match self.one_here(step, &mut notes, run) {
                Ok(what) => run.count(what),
                Err(trouble) => {
                    is_done = false;
                    if let Err(side) = run.failed(&key, trouble) {
                        self.last(notes)?;
                        return Err(side);
                    }
                    if !is_deletion {
                        break;
                    }
                }
            }
        }
        self.last(notes)?;
        Ok(is_done)
    }

    /// Also where nothing is noted: what is agreed on later counts on a rename that no note tells of.
    fn last(&mut self, notes: Vec<Note>) -> Result<(), Trouble> {
        self.disk.flush()?;
        self.note(notes)
    }

    fn one_here(
        &mut self,
        step: Step,
        notes: &mut Vec<Note>,
        run: &mut Run<'_>,
    ) -> Result<&'static str, Trouble> {
        match step {
            Step::MakeLocal { path, mut row } => {
                row.look = Some(self.kept(Kind::Folder, self.disk.make_folder(&path)?));
                notes.push(Note::Agreed(row));
                Ok("folders made here")
            }
            Step::MoveLocal { from, to, look, agreed, leaves } => {
                if let Some(id) = leaves {
                    self.note(vec![Note::Looks { id, look: None }])?;
                }
                let (before, after) = self.disk.rename(&from, &to, &look)?;
                if let Some((id, parent, name)) = agreed {
                    let parent = run.id_of(parent)?;
                    notes.push(Note::Place { id, parent, name, by_us: false });
                    notes.extend(self.renamed(id, before, after));
                }
                Ok("moved here")
            }
            Step::DeleteLocal { id, path, kind, look } => {
                self.expect_settled(&path, Some(&look), run)?;
                match kind {
                    Kind::File => self.disk.remove_file(&path, &look)?,
                    Kind::Folder => self.disk.remove_folder(&path)?,
                }
                notes.push(Note::Gone(id));
                Ok("removed here")
            }
            _ => Err(Trouble::Item("this is no step in the folder".to_owned())),
        }
    }

    /// Renaming changes the time of the inode; what was known to be untouched is so still.
    fn renamed(&self, id: NodeId, before: Look, after: Look) -> Option<Note> {
        let row = self.memory.base.get(id)?;
        let is_known = row.kind == Kind::File && row.look.is_some_and(|look| look.is_untouched(&before));
        is_known.then(|| Note::Looks { id, look: Some(self.kept(Kind::File, after)) })
    }

    /// Nothing is taken away that was written to so shortly before it was judged that it may have been again since.
    pub(super) fn expect_settled(
        &self,
        path: &str,
        judged: Option<&Look>,
        run: &mut Run<'_>,
    ) -> Result<(), Trouble> {
        if judged.is_some_and(|look| self.fresh.borrow().contains(look)) {
            if !std::mem::replace(&mut run.is_settled, true) {
                self.disk.settle();
            }
            return Err(Trouble::Changed(format!("{path} was written to just now")));
        }
        Ok(())
    }

    /// The look of something that the last walk saw, as a row keeps it: whether it was fresh counts when it was read, not now.
    pub(super) fn judged(&self, kind: Kind, look: Look) -> Look {
        let is_fresh = self.fresh.borrow().contains(&look);
        crate::agent::plan::look_of(kind, Look { ctime_ns: if is_fresh { 0 } else { look.ctime_ns }, ..look })
    }

    /// The look of something that was put or changed here just now, as a row keeps it.
    pub(super) fn kept(&self, kind: Kind, look: Look) -> Look {
        crate::agent::plan::look_of(kind, self.disk.settled(look))
    }
}

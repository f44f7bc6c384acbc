//! Collects the verdicts into a plan, the conflicts that are to be open, and the rows that change.

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::path_map::{Full, PathMapBuilder};
use holdfast_protocol::plan::{
    Action, Delete, DeletedByClient, DeletedElsewhere, Download, Plan, Reason, Unsyncable, Upload,
};
use holdfast_protocol::{ContentHash, DrivePath, Kind, PathMap, Value};
use time::OffsetDateTime;

use super::input::{Agreed, Answer, Question, Row};
use super::merge::Case;
use super::table::Verdict;
use super::view::View;
use super::{guard, moves};

/// What was decided. Nothing of it is done yet.
#[derive(Debug)]
pub struct Decision {
    /// What to answer; `conflicts` and `change_token` are still to be filled in.
    pub plan: Plan,
    /// The conflicts that are open after this, in path order. Any other open conflict of the device is obsolete, except
    /// at and beneath `unjudged` paths.
    pub conflicts: Vec<ConflictWanted>,
    /// Rows that change: the new row, or `None` where the row goes.
    pub rows: PathMap<Option<Row>>,
    /// Paths that were not judged, because the device could not read them.
    pub unjudged: Vec<DrivePath>,
}

/// A conflict that is to be open: stored under (device, path), refreshed if it is open already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictWanted {
    /// Where.
    pub path: DrivePath,
    /// What the client holds.
    pub client_hash: ContentHash,
    /// What the server holds; `None` for nothing or a folder.
    pub server_hash: Option<ContentHash>,
    /// What stands at the path on the server; `None` for nothing.
    pub server_kind: Option<Kind>,
    /// When the server's side was last changed, nanoseconds since 1970.
    pub server_modified_at_ns: Option<i64>,
    /// What both held last.
    pub base_hash: Option<ContentHash>,
    /// A file on the server in the place of a folder above the path.
    pub blocked_by: Option<DrivePath>,
}

/// How much of what was agreed is still there, for the guard of rule 9.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// Agreed files that the server still has as agreed.
    pub(super) files: usize,
    /// One of them is claimed.
    pub(super) some_claimed: bool,
}

/// A decision in the making.
pub(super) struct Draft<'v, 'a> {
    view: &'v View<'v>,
    answers: &'v [Question<'a>],
    plan: Plan,
    conflicts: Vec<ConflictWanted>,
    rows: PathMapBuilder<Option<Row>>,
    unjudged: Vec<DrivePath>,
    held: Held,
    /// Paths whose upload goes back to an earlier content.
    reverts: Vec<DrivePath>,
    /// Agreed files that neither side has any more, with what was agreed.
    dropped: Vec<(&'a str, ContentHash)>,
}

impl<'v, 'a> Draft<'v, 'a> {
    pub(super) fn new(view: &'v View<'v>, answers: &'v [Question<'a>]) -> Self {
        let alike = view.input.alike;
        Self {
            view,
            answers,
            plan: Plan::default(),
            conflicts: Vec::new(),
            rows: PathMapBuilder::new(),
            unjudged: Vec::new(),
            held: Held { files: alike, some_claimed: alike > 0 },
            reverts: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// What the catalogue answered about a path; what nobody knows of never existed.
    pub(super) fn answer(&self, path: &str) -> Answer {
        moves::answer(self.answers, path).cloned().unwrap_or_default()
    }

    /// Adds the verdict on one path.
    pub(super) fn take(&mut self, case: &Case<'a>, verdict: Verdict<'_>) -> Result<(), Full> {
        let row = self.row_after(case, verdict);
        self.count(case, &row);
        let old = case.row.cloned().unwrap_or_default();
        if row != old {
            self.rows.push(case.path, (!row.is_empty()).then_some(row))?;
        }
        let path = || DrivePath::from_checked(case.path);
        match verdict {
            Verdict::Agree | Verdict::Nothing => {}
            Verdict::Drop => {
                if let Some(Agreed::Held(Value::File(hash))) = old.agreed {
                    self.dropped.push((case.path, hash));
                }
            }
            Verdict::Unjudged(reason) => {
                self.unjudged.push(path());
                if let Some(reason) = reason {
                    self.plan.unsyncable.push(Unsyncable { path: path(), reason });
                }
            }
            Verdict::OutOfScope if case.claim.is_some() => {
                self.plan.unsyncable.push(Unsyncable { path: path(), reason: Reason::OutOfScope });
            }
            Verdict::OutOfScope => {}
            Verdict::Download { action, stale } => self.download(case, action, stale),
            Verdict::Delete => self.plan.to_delete.push(Delete {
                path: path(),
                kind: claimed(case).map_or(Kind::File, Value::kind),
                replaces: claimed(case).and_then(Value::hash),
            }),
            Verdict::Upload { action, expect, resurrects, revert } => {
                if revert {
                    self.reverts.push(path());
                }
                self.upload(case, action, expect, resurrects);
            }
            Verdict::ClientDeleted => self.client_deleted(case),
            Verdict::ClientReplaced => {
                self.client_deleted(case);
                self.upload(case, Action::Add, None, false);
            }
            Verdict::DeletedElsewhere => {
                if let Some(hash) = claimed(case).and_then(Value::hash) {
                    let moved_to = self.answer(case.path).lives_at;
                    self.plan.deleted_elsewhere.push(DeletedElsewhere { path: path(), hash, moved_to });
                }
            }
            Verdict::Conflict { blocked_by } => self.conflict(case, blocked_by),
        }
        Ok(())
    }

    /// Finds moves, applies the guard, and orders what is to be removed from the leaves upwards.
    pub(super) fn finish(mut self) -> Result<Decision, Full> {
        let renamed = moves::find_renamed_back(self.view, self.answers, &mut self.plan);
        if self.view.input.sent.moves {
            moves::find(self.view, self.answers, &self.dropped, &mut self.plan);
        }
        guard::apply(self.view.input, self.held, &self.reverts, &mut self.plan);
        if self.plan.needs_confirmation.is_some() {
            moves::doubt_renamed_back(&renamed, &mut self.plan);
        }
        self.plan.to_delete.reverse();
        self.plan.deleted_by_client.reverse();
        // The cases came in path order, each path once.
        let rows = self.rows.finish().map_err(|_| Full)?;
        Ok(Decision { plan: self.plan, conflicts: self.conflicts, rows, unjudged: self.unjudged })
    }

    fn row_after(&self, case: &Case<'_>, verdict: Verdict<'_>) -> Row {
        let old = case.row.cloned().unwrap_or_default();
        let claim = case.claim.filter(|claim| *claim != Claim::Deleted);
        match verdict {
            Verdict::OutOfScope => Row::default(),
            // What became of it is unknown, and stays so for later deltas until they name it or the list is whole.
            Verdict::Unjudged(None) if !old.is_empty() => Row { claimed: Some(Claim::Unreadable), ..old },
            Verdict::Unjudged(_) if claim.is_none() => old,
            Verdict::Drop => Row { claimed: claim, ..Row::default() },
            Verdict::Agree => match case.node {
                Some(node) => Row { claimed: claim, ..old }.agree(Agreed::Held(node.value), Some(node)),
                None => old,
            },
            _ => Row { claimed: claim, ..old },
        }
    }

    fn count(&mut self, case: &Case<'_>, row: &Row) {
        if let (Some(node), Some(Agreed::Held(agreed @ Value::File(_)))) = (case.node, row.agreed)
            && node.value == agreed
        {
            self.held.files += 1;
            self.held.some_claimed |= claimed(case).is_some();
        }
    }

    fn download(&mut self, case: &Case<'_>, action: Action, stale: bool) {
        let Some(node) = case.node else { return };
        self.plan.to_download.push(Download {
            path: DrivePath::from_checked(case.path),
            action,
            kind: node.value.kind(),
            hash: node.value.hash(),
            version: node.value.hash().map(|_| node.version),
            size: node.size,
            modified_at: time_of(node.modified_at_ns),
            stale,
            replaces: claimed(case).and_then(Value::hash),
        });
    }

    fn upload(&mut self, case: &Case<'_>, action: Action, expect: Option<ContentHash>, resurrects: bool) {
        let Some(value) = claimed(case) else { return };
        self.plan.to_upload.push(Upload {
            path: DrivePath::from_checked(case.path),
            action,
            kind: value.kind(),
            hash: value.hash(),
            expect,
            resurrects,
        });
    }

    fn client_deleted(&mut self, case: &Case<'_>) {
        let Some(node) = case.node else { return };
        self.plan.deleted_by_client.push(DeletedByClient {
            path: DrivePath::from_checked(case.path),
            expect: node.value.hash(),
            kind: node.value.kind(),
        });
    }

    fn conflict(&mut self, case: &Case<'_>, blocked_by: Option<&str>) {
        let Some(client_hash) = claimed(case).and_then(Value::hash) else { return };
        let base = case.row.and_then(|row| row.agreed);
        self.conflicts.push(ConflictWanted {
            path: DrivePath::from_checked(case.path),
            client_hash,
            server_hash: case.node.and_then(|node| node.value.hash()),
            server_kind: case.node.map(|node| node.value.kind()),
            server_modified_at_ns: case.node.map(|node| node.modified_at_ns),
            base_hash: match base {
                Some(Agreed::Held(Value::File(hash))) => Some(hash),
                _ => None,
            },
            blocked_by: blocked_by.map(DrivePath::from_checked),
        });
    }
}

/// What the device says it holds at the path.
fn claimed(case: &Case<'_>) -> Option<Value> {
    match case.claim {
        Some(Claim::Held(value)) => Some(value),
        _ => None,
    }
}

/// Every count of nanoseconds in 64 bits is a time between the years 1677 and 2262.
fn time_of(ns: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

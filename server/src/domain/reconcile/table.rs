//! The sync table of design section 6, one path at a time, in the order of the rules of algorithms B.

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::plan::{Action, Reason};
use holdfast_protocol::{ContentHash, Value};

use super::input::{Agreed, Answer, Row};
use super::merge::Case;
use super::view::View;

/// What becomes of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// Not judged: nothing is inferred, nothing planned. With a reason it is told (rule 0).
    Unjudged(Option<Reason>),
    /// Out of what the device syncs: its row goes (rule e).
    OutOfScope,
    /// Claim and server are alike (rule a).
    Agree,
    /// Neither has it (rule c).
    Drop,
    /// Nothing to do and nothing to learn.
    Nothing,
    /// The client gets what the server has.
    Download { action: Action, stale: bool },
    /// The server let it go, the client has not changed it.
    Delete,
    /// The server gets what the client has. `revert`: it is an earlier content of the same path.
    Upload { action: Action, expect: Option<ContentHash>, resurrects: bool, revert: bool },
    /// The client deleted it.
    ClientDeleted,
    /// The client deleted the file and made a folder of that name.
    ClientReplaced,
    /// The client holds an earlier version of what the server let go.
    DeletedElsewhere,
    /// Both changed it.
    Conflict { blocked_by: Option<&'a str> },
}

/// The content whose history has to be known before a path can be judged.
pub(super) fn question(view: &View<'_>, case: &Case<'_>) -> Option<ContentHash> {
    if unsyncable(view, case).is_some() {
        return None;
    }
    let server = case.node.map(|node| node.value);
    let agreed = case.row.and_then(|row| row.agreed);
    let moves = view.input.sent.moves;
    match (case.claim, server) {
        (Some(Claim::Held(claimed @ Value::File(hash))), _) if server != Some(claimed) => {
            let unchanged = agreed == Some(Agreed::Held(claimed));
            // Unchanged, the history decides nothing, but a node that lived here may have been moved.
            let moved = moves && hash != ContentHash::EMPTY && !matches!(server, Some(Value::File(_)));
            (!unchanged || moved).then_some(hash)
        }
        (None, None) if moves && view.input.sent.infer_deletions => match agreed {
            Some(Agreed::Held(Value::File(hash))) if hash != ContentHash::EMPTY => Some(hash),
            _ => None,
        },
        _ => None,
    }
}

/// Judges one path. `answer` is asked only where [`question`] asked.
pub(super) fn judge<'a>(view: &View<'_>, case: &Case<'a>, answer: impl FnOnce() -> Answer) -> Verdict<'a> {
    if let Some(verdict) = unsyncable(view, case) {
        return verdict;
    }
    let claimed = match case.claim {
        Some(Claim::Held(value)) => Some(value),
        Some(Claim::Unreadable) => return Verdict::Unjudged(Some(Reason::Unreadable)),
        Some(Claim::Deleted) | None => None,
    };
    if claimed.is_none() && view.is_hidden(case.path) {
        return Verdict::Unjudged(None);
    }
    // A client that lists no folders is not told of any, but one that names a folder is answered about it.
    let server = case
        .node
        .map(|node| node.value)
        .filter(|value| !value.is_folder() || view.input.sent.folders || claimed == Some(Value::Folder));
    match (claimed, server) {
        (Some(claimed), Some(server)) if claimed == server => Verdict::Agree,
        (None, None)
            if view.input.sent.infer_deletions && case.row.is_some_and(|row| row.agreed.is_some()) =>
        {
            Verdict::Drop
        }
        (None, None) => Verdict::Nothing,
        (None, Some(_)) if view.client_deletes(case.path) => Verdict::ClientDeleted,
        (None, Some(_)) => Verdict::Download { action: Action::Add, stale: false },
        (Some(Value::Folder), _) => folder(view, case, server),
        (Some(Value::File(hash)), _) => file(view, case, hash, &answer()),
    }
}

/// Rule 0: what the device is not to hold or cannot. What it does claim, it evidently can hold.
fn unsyncable(view: &View<'_>, case: &Case<'_>) -> Option<Verdict<'static>> {
    let reason = view.input.unsyncable.and_then(|reason| reason(case.path))?;
    match reason {
        Reason::OutOfScope => Some(Verdict::OutOfScope),
        _ if case.claim.is_none() && case.node.is_some() => Some(Verdict::Unjudged(Some(reason))),
        _ => None,
    }
}

/// The client has a folder where the server has a file or nothing.
fn folder<'a>(view: &View<'_>, case: &Case<'a>, server: Option<Value>) -> Verdict<'a> {
    let agreed = case.row.and_then(|row| row.agreed);
    if server.is_some() {
        if view.client_deletes(case.path) {
            Verdict::ClientReplaced
        } else {
            Verdict::Download { action: Action::Modify, stale: false }
        }
    } else if agreed == Some(Agreed::Held(Value::Folder)) {
        Verdict::Delete
    } else if view.blocked_by(case.path).is_some() {
        // Rule 4 on the client's side: folders with nothing but folders beneath give way to the server's file. Without this
        // one that was never agreed would keep the client from taking the file, plan after plan.
        if view.claims_only_folders(case.path) { Verdict::Delete } else { Verdict::Nothing }
    } else {
        Verdict::Upload { action: Action::Add, expect: None, resurrects: false, revert: false }
    }
}

/// The client has a file where the server has another content, a folder or nothing.
fn file<'a>(view: &View<'_>, case: &Case<'a>, hash: ContentHash, answer: &Answer) -> Verdict<'a> {
    let agreed = case.row.and_then(|row| row.agreed);
    let unchanged = agreed == Some(Agreed::Held(Value::File(hash)));
    match case.node.map(|node| node.value) {
        Some(Value::File(server)) => {
            changed_file(view, case, Value::File(hash), server, answer, agreed, unchanged)
        }
        Some(Value::Folder) if unchanged => Verdict::Delete,
        Some(Value::Folder) => file_for_folder(view, case, answer),
        None if unchanged => Verdict::Delete,
        None => file_gone(view, case, hash, answer, agreed),
    }
}

/// Both have a file, with different content.
fn changed_file<'a>(
    view: &View<'_>,
    case: &Case<'a>,
    claimed: Value,
    server: ContentHash,
    answer: &Answer,
    agreed: Option<Agreed>,
    unchanged: bool,
) -> Verdict<'a> {
    if unchanged {
        return Verdict::Download { action: Action::Modify, stale: false };
    }
    let server_is_base = agreed == Some(Agreed::Held(Value::File(server)));
    if answer.kept {
        let forced = case.row.is_some_and(|row| is_forced(row, claimed)) && server_is_base;
        // Nobody else changed it and the device was not restored: going back to an earlier content is an edit (rule 2).
        let edited = view.input.sent.current_token && View::is_untouched(case.row, case.node);
        if !forced && !edited {
            return Verdict::Download { action: Action::Modify, stale: true };
        }
        return Verdict::Upload {
            action: Action::Modify,
            expect: Some(server),
            resurrects: false,
            revert: !forced,
        };
    }
    if server_is_base {
        Verdict::Upload { action: Action::Modify, expect: Some(server), resurrects: false, revert: false }
    } else {
        Verdict::Conflict { blocked_by: None }
    }
}

/// The client has a file of its own where the server has a folder (rule 4): an empty folder gives way, and one whose
/// files the client deletes does, too.
fn file_for_folder<'a>(view: &View<'_>, case: &Case<'a>, answer: &Answer) -> Verdict<'a> {
    let edited = !answer.kept || (view.input.sent.current_token && view.has_files(case.path));
    if edited && view.client_empties(case.path) {
        Verdict::Upload { action: Action::Add, expect: None, resurrects: answer.died, revert: false }
    } else if answer.kept {
        Verdict::DeletedElsewhere
    } else {
        Verdict::Conflict { blocked_by: None }
    }
}

/// The client has a file that is not the agreed one, and the server has nothing.
fn file_gone<'a>(
    view: &View<'_>,
    case: &Case<'a>,
    hash: ContentHash,
    answer: &Answer,
    agreed: Option<Agreed>,
) -> Verdict<'a> {
    let blocked_by = view.blocked_by(case.path);
    let forced = case.row.is_some_and(|row| is_forced(row, Value::File(hash)));
    let kept_gone = agreed == Some(Agreed::Gone) && blocked_by.is_none() && (forced || !answer.kept);
    if !kept_gone {
        if answer.kept {
            return Verdict::DeletedElsewhere;
        }
        if blocked_by.is_some() || agreed.is_some() {
            return Verdict::Conflict { blocked_by };
        }
    }
    Verdict::Upload { action: Action::Add, expect: None, resurrects: answer.died, revert: false }
}

fn is_forced(row: &Row, claimed: Value) -> bool {
    row.forced.as_deref().copied().map(Value::File) == Some(claimed)
}

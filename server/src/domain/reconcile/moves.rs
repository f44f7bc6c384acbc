//! Turns pairs of delete and create into moves, for clients that carry them out (rows 14 and 15 of the table, rule 8).
//! Content is never guessed from: it must not be empty, exactly one claim and exactly one live file may have it.

use std::collections::HashMap;

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::path::ancestors;
use holdfast_protocol::plan::{Action, DeletedElsewhere, Move, Plan, Upload};
use holdfast_protocol::{ContentHash, DrivePath, Kind, Value};

use super::input::Question;
use super::view::View;

/// What the catalogue answered about a path.
pub(super) fn answer<'q>(answers: &'q [Question<'_>], path: &str) -> Option<&'q super::Answer> {
    let at = answers.binary_search_by(|question| question.path.cmp(path)).ok()?;
    Some(&answers[at].answer)
}

/// Takes for renames what rule 2 took for files deleted elsewhere: files at names that they had before, where the client
/// gives up as many other names of the same content in this very plan. Whoever renames a file and later renames it back
/// would else see it vanish: deleted at the one name, refused at the other. Returns what it took.
pub(super) fn find_renamed_back(
    view: &View<'_>,
    answers: &[Question<'_>],
    plan: &mut Plan,
) -> Vec<DeletedElsewhere> {
    let mut names: HashMap<ContentHash, (usize, usize)> = HashMap::new();
    for entry in &plan.deleted_elsewhere {
        names.entry(entry.hash).or_default().0 += 1;
    }
    let added =
        plan.to_upload.iter().filter(|entry| entry.action == Action::Add).filter_map(|entry| entry.hash);
    for hash in added {
        names.entry(hash).and_modify(|(wanted, _)| *wanted += 1);
    }
    for hash in plan.deleted_by_client.iter().filter_map(|entry| entry.expect) {
        names.entry(hash).and_modify(|(_, given_up)| *given_up += 1);
    }
    let (renamed, elsewhere) = std::mem::take(&mut plan.deleted_elsewhere).into_iter().partition(|entry| {
        let path = entry.path.as_str();
        names.get(&entry.hash).is_some_and(|(wanted, given_up)| wanted <= given_up)
            && view.value(path).is_none()
            && view.blocked_by(path).is_none()
    });
    plan.deleted_elsewhere = elsewhere;
    let renamed: Vec<DeletedElsewhere> = renamed;
    plan.to_upload.extend(renamed.iter().map(|entry| Upload {
        path: entry.path.clone(),
        action: Action::Add,
        kind: Kind::File,
        hash: Some(entry.hash),
        expect: None,
        resurrects: answer(answers, entry.path.as_str()).is_some_and(|answer| answer.died),
    }));
    plan.to_upload.sort_by(|one, other| one.path.cmp(&other.path));
    renamed
}

/// Undoes [`find_renamed_back`] where the deletions that made it believable are withheld: an old disk looks like that,
/// too.
pub(super) fn doubt_renamed_back(renamed: &[DeletedElsewhere], plan: &mut Plan) {
    let Plan { to_upload, deleted_elsewhere, .. } = plan;
    to_upload.retain(|upload| {
        let found = renamed.binary_search_by(|entry| entry.path.cmp(&upload.path));
        deleted_elsewhere.extend(found.ok().map(|at| renamed[at].clone()));
        found.is_err()
    });
    deleted_elsewhere.sort_by(|one, other| one.path.cmp(&other.path));
}

/// Replaces pairs of steps by moves. `dropped`: agreed files that neither side has any more, with their content.
pub(super) fn find(
    view: &View<'_>,
    answers: &[Question<'_>],
    dropped: &[(&str, ContentHash)],
    plan: &mut Plan,
) {
    let mut pairs = Pairs::new(view, plan);
    if pairs.adds.is_empty() && pairs.gone.is_empty() {
        return;
    }
    let lived = |old: &str, target: &DrivePath| {
        answer(answers, old).is_some_and(|answer| answer.lives_at.as_ref() == Some(target))
    };
    let mut uploads_done = vec![false; plan.to_upload.len()];
    let mut deletes_done = vec![false; plan.to_delete.len()];

    // The client renamed it.
    for (entry, done) in plan.to_upload.iter().zip(&mut uploads_done) {
        let Some(hash) = entry.hash.filter(|_| entry.action == Action::Add) else { continue };
        let Some(&source) = pairs.gone.get(&hash) else { continue };
        let from = &plan.deleted_by_client[source].path;
        if !was_agreed(view, &entry.path) && server_is_free(view, &entry.path) {
            plan.moved_by_client.push(Move {
                from: from.clone(),
                to: entry.path.clone(),
                hash,
                expect: hash,
            });
            *done = true;
            pairs.gone_done[source] = true;
        }
    }
    // Somebody moved it.
    for (entry, done) in plan.to_delete.iter().zip(&mut deletes_done) {
        let Some(hash) = entry.replaces else { continue };
        let Some(&target) = pairs.adds.get(&hash) else { continue };
        let to = &plan.to_download[target].path;
        let row_knows = || {
            let row = view.input.rows.get(entry.path.as_str()).filter(|row| row.node != 0);
            row.map(|row| row.node) == view.input.nodes.get(to.as_str()).map(|node| node.id)
        };
        if (lived(entry.path.as_str(), to) || row_knows()) && client_is_free(view, to) {
            plan.to_move.push(Move { from: entry.path.clone(), to: to.clone(), hash, expect: hash });
            *done = true;
            pairs.adds_done[target] = true;
        }
    }
    // Both renamed it, differently: the first commit wins, and that was the other's.
    let mut old_names: HashMap<ContentHash, Vec<&str>> = HashMap::new();
    for (old, hash) in dropped.iter().filter(|(_, hash)| pairs.adds.contains_key(hash)) {
        old_names.entry(*hash).or_default().push(old);
    }
    for (entry, done) in plan.to_upload.iter().zip(&mut uploads_done) {
        let Some(hash) = entry.hash.filter(|_| entry.action == Action::Add && !*done) else { continue };
        let Some(&target) = pairs.adds.get(&hash) else { continue };
        let to = &plan.to_download[target].path;
        let renamed = || old_names.get(&hash).is_some_and(|names| names.iter().any(|old| lived(old, to)));
        if !pairs.adds_done[target] && !was_agreed(view, &entry.path) && client_is_free(view, to) && renamed()
        {
            plan.to_move.push(Move { from: entry.path.clone(), to: to.clone(), hash, expect: hash });
            *done = true;
            pairs.adds_done[target] = true;
        }
    }
    drop_done(&mut plan.to_upload, &uploads_done);
    drop_done(&mut plan.to_delete, &deletes_done);
    drop_done(&mut plan.deleted_by_client, &pairs.gone_done);
    drop_done(&mut plan.to_download, &pairs.adds_done);
}

/// Contents that may stand for a move, and where in the plan they are.
struct Pairs {
    /// New on the server and never agreed with this device: index into `to_download`.
    adds: HashMap<ContentHash, usize>,
    /// Deleted by the client: index into `deleted_by_client`.
    gone: HashMap<ContentHash, usize>,
    adds_done: Vec<bool>,
    gone_done: Vec<bool>,
}

impl Pairs {
    fn new(view: &View<'_>, plan: &Plan) -> Self {
        let adds = plan.to_download.iter().enumerate().filter_map(|(at, entry)| {
            let hash =
                entry.hash.filter(|_| entry.action == Action::Add && !was_agreed(view, &entry.path))?;
            Some((hash, at))
        });
        let gone =
            plan.deleted_by_client.iter().enumerate().filter_map(|(at, entry)| Some((entry.expect?, at)));
        let (mut adds, mut gone): (HashMap<_, _>, HashMap<_, _>) = (adds.collect(), gone.collect());
        let mut counts: HashMap<ContentHash, (u32, u32)> =
            adds.keys().chain(gone.keys()).map(|&hash| (hash, (0, 0))).collect();
        if !counts.is_empty() {
            for (_, claim) in view.input.claims.iter() {
                if let Claim::Held(Value::File(hash)) = claim
                    && let Some((claims, _)) = counts.get_mut(hash)
                {
                    *claims += 1;
                }
            }
            for (_, node) in view.input.nodes.iter() {
                if let Value::File(hash) = node.value
                    && let Some((_, nodes)) = counts.get_mut(&hash)
                {
                    *nodes += 1;
                }
            }
        }
        let unique = |hash: &ContentHash| *hash != ContentHash::EMPTY && counts.get(hash) == Some(&(1, 1));
        adds.retain(|hash, _| unique(hash));
        gone.retain(|hash, _| unique(hash));
        Self {
            adds,
            gone,
            adds_done: vec![false; plan.to_download.len()],
            gone_done: vec![false; plan.deleted_by_client.len()],
        }
    }
}

/// Only a path that was never agreed can be the new name of a rename (rule 8).
fn was_agreed(view: &View<'_>, path: &DrivePath) -> bool {
    view.input.rows.get(path.as_str()).is_some_and(|row| row.agreed.is_some())
}

/// The client can rename a file of its own to `to` at once, before anything else of the plan is done: no folder of its
/// own stands there and no file in the place of a folder above. Else the move would be refused, for ever if the plan
/// stays the same. That leaves no two names of which one lies beneath the other.
fn client_is_free(view: &View<'_>, to: &DrivePath) -> bool {
    let is_file = |path: &str| matches!(view.input.claims.get(path), Some(Claim::Held(Value::File(_))));
    view.input.claims.beneath(to.as_str()).next().is_none() && !ancestors(to.as_str()).any(is_file)
}

/// The server can rename a file of its own to `to` at once, likewise.
fn server_is_free(view: &View<'_>, to: &DrivePath) -> bool {
    let is_file = |path: &str| view.value(path).is_some_and(|value| !value.is_folder());
    view.value(to.as_str()).is_none() && !ancestors(to.as_str()).any(is_file)
}

fn drop_done<T>(entries: &mut Vec<T>, done: &[bool]) {
    let mut done = done.iter();
    entries.retain(|_| !done.next().copied().unwrap_or(false));
}

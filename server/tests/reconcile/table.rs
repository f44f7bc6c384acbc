//! The table of design section 6 and the rules of algorithms B, row by row, each in the smallest world that shows it.

use std::collections::BTreeMap;

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::plan::{Action, Plan, Reason};
use holdfast_protocol::{ContentHash, DrivePath, Value};
use holdfastd::domain::reconcile::{self, Agreed, Answer, Decision, Guard, Input, Row, Sent, ServerNode};

use crate::server::map;
use crate::simulation::content;

/// A device that lists nothing, and a server that has nothing, until told.
struct Bench {
    claims: BTreeMap<String, Claim>,
    nodes: BTreeMap<String, ServerNode>,
    rows: BTreeMap<String, Row>,
    answers: BTreeMap<(String, ContentHash), Answer>,
    sent: Sent<'static>,
    guard: Guard,
    unsyncable: fn(&str) -> Option<Reason>,
}

fn file(number: u16) -> Value {
    Value::File(content(number))
}

impl Bench {
    fn new() -> Self {
        Self {
            claims: BTreeMap::new(),
            nodes: BTreeMap::new(),
            rows: BTreeMap::new(),
            answers: BTreeMap::new(),
            sent: Sent { infer_deletions: true, ..Sent::default() },
            guard: Guard::default(),
            unsyncable: |_| None,
        }
    }

    fn claims(mut self, path: &str, value: Value) -> Self {
        self.claims.insert(path.to_owned(), Claim::Held(value));
        self
    }

    fn server(mut self, path: &str, value: Value, seq: i64) -> Self {
        let id = i64::try_from(self.nodes.len()).unwrap() + 1;
        let node = ServerNode { id, value, seq, size: 10, modified_at_ns: 0, version: 3 };
        self.nodes.insert(path.to_owned(), node);
        self
    }

    fn agreed(mut self, path: &str, value: Value, seq: i64) -> Self {
        let row = Row { agreed: Some(Agreed::Held(value)), agreed_seq: seq, ..Row::default() };
        self.rows.insert(path.to_owned(), row);
        self
    }

    /// What the history of a path knows of a content.
    fn history(mut self, path: &str, number: u16, lives_at: Option<&str>) -> Self {
        let lives_at = lives_at.map(|path| DrivePath::parse(path).unwrap());
        let answer = Answer { kept: true, died: lives_at.is_none(), lives_at };
        self.answers.insert((path.to_owned(), content(number)), answer);
        self
    }

    fn sent(mut self, change: impl FnOnce(&mut Sent<'static>)) -> Self {
        change(&mut self.sent);
        self
    }

    fn decide(&self) -> Decision {
        let (claims, nodes, rows) = (map(&self.claims), map(&self.nodes), map(&self.rows));
        let input = Input {
            claims: &claims,
            nodes: &nodes,
            rows: &rows,
            alike: 0,
            sent: self.sent,
            guard: self.guard,
            unsyncable: Some(&self.unsyncable),
        };
        let mut asked = reconcile::ask(&input);
        for question in &mut asked {
            let known = self.answers.get(&(question.path.to_owned(), question.hash));
            question.answer = known.cloned().unwrap_or_default();
        }
        reconcile::decide(&input, &asked).unwrap()
    }

    fn steps(&self) -> Vec<String> {
        steps(&self.decide())
    }
}

/// The decision in words, in the order in which a client follows it.
fn steps(decision: &Decision) -> Vec<String> {
    let Plan { to_move, moved_by_client, deleted_by_client, to_delete, to_download, to_upload, .. } =
        &decision.plan;
    let action = |action: &Action| if *action == Action::Add { "add" } else { "modify" };
    let mut words = Vec::new();
    words.extend(moved_by_client.iter().map(|e| format!("moved by client {} {}", e.from, e.to)));
    words.extend(to_move.iter().map(|e| format!("move {} {}", e.from, e.to)));
    words.extend(deleted_by_client.iter().map(|e| format!("deleted by client {}", e.path)));
    words.extend(to_delete.iter().map(|e| format!("delete {}", e.path)));
    words.extend(to_download.iter().map(|e| {
        format!("download {} {}{}", action(&e.action), e.path, if e.stale { " stale" } else { "" })
    }));
    words.extend(to_upload.iter().map(|e| {
        let again = if e.resurrects { " resurrects" } else { "" };
        format!("upload {} {}{again}", action(&e.action), e.path)
    }));
    words.extend(decision.conflicts.iter().map(|e| format!("conflict {}", e.path)));
    words.extend(decision.plan.deleted_elsewhere.iter().map(|e| match &e.moved_to {
        Some(to) => format!("deleted elsewhere {} moved to {to}", e.path),
        None => format!("deleted elsewhere {}", e.path),
    }));
    words.extend(decision.plan.unsyncable.iter().map(|e| format!("unsyncable {} {:?}", e.path, e.reason)));
    words
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_claim_that_equals_the_server_is_agreed_on() {
    let decision = Bench::new().claims("f", file(1)).server("f", file(1), 7).decide();
    assert_eq!(steps(&decision), NOTHING);
    let row = decision.rows.get("f").unwrap().as_ref().unwrap();
    assert_eq!((row.agreed, row.agreed_seq), (Some(Agreed::Held(file(1))), 7));
    assert_eq!(row.claimed, Some(Claim::Held(file(1))));
}

#[test]
fn an_agreement_that_stands_is_not_written_again() {
    let first = Bench::new().claims("f", file(1)).server("f", file(1), 7);
    let row = first.decide().rows.get("f").unwrap().clone().unwrap();
    let again = Bench { rows: BTreeMap::from([("f".to_owned(), row)]), ..first };
    assert_eq!(again.decide().rows.len(), 0);
}

#[test]
fn a_file_that_only_the_server_has_is_downloaded() {
    let decision = Bench::new().server("f", file(1), 7).decide();
    assert_eq!(steps(&decision), ["download add /f"]);
    let entry = &decision.plan.to_download[0];
    assert_eq!(
        (entry.hash, entry.size, entry.version, entry.replaces),
        (Some(content(1)), 10, Some(3), None)
    );
}

#[test]
fn a_file_that_only_the_client_has_is_uploaded() {
    let decision = Bench::new().claims("f", file(1)).decide();
    assert_eq!(steps(&decision), ["upload add /f"]);
    assert_eq!(decision.plan.to_upload[0].expect, None);
}

#[test]
fn what_the_server_changed_is_downloaded_over_the_agreed_content() {
    let decision = Bench::new().claims("f", file(1)).agreed("f", file(1), 7).server("f", file(2), 8).decide();
    assert_eq!(steps(&decision), ["download modify /f"]);
    assert_eq!(decision.plan.to_download[0].replaces, Some(content(1)));
}

#[test]
fn what_the_client_changed_is_uploaded_over_the_agreed_content() {
    let decision = Bench::new().claims("f", file(2)).agreed("f", file(1), 7).server("f", file(1), 7).decide();
    assert_eq!(steps(&decision), ["upload modify /f"]);
    assert_eq!(decision.plan.to_upload[0].expect, Some(content(1)));
}

#[test]
fn what_both_changed_is_a_conflict() {
    let decision = Bench::new().claims("f", file(2)).agreed("f", file(1), 7).server("f", file(3), 8).decide();
    assert_eq!(steps(&decision), ["conflict /f"]);
    let wanted = &decision.conflicts[0];
    assert_eq!(
        (wanted.client_hash, wanted.server_hash, wanted.base_hash),
        (content(2), Some(content(3)), Some(content(1)))
    );
}

#[test]
fn what_both_made_differently_is_a_conflict() {
    assert_eq!(Bench::new().claims("f", file(2)).server("f", file(3), 8).steps(), ["conflict /f"]);
}

#[test]
fn an_older_version_is_stale_and_no_conflict() {
    let bench = Bench::new().claims("f", file(1)).server("f", file(3), 8).history("f", 1, None);
    assert_eq!(bench.steps(), ["download modify /f stale"]);
    // Also where the agreement still stands, unless the device shows by its token that nobody restored it.
    let bench = bench.agreed("f", file(3), 8);
    assert_eq!(bench.steps(), ["download modify /f stale"]);
    assert_eq!(bench.sent(|sent| sent.current_token = true).steps(), ["upload modify /f"]);
}

#[test]
fn a_deletion_is_inferred_only_where_nobody_touched_the_file_since() {
    let agreed = Bench::new().agreed("f", file(1), 7);
    assert_eq!(agreed.server("f", file(1), 7).steps(), ["deleted by client /f"]);
    let restored = Bench::new().agreed("f", file(1), 7).server("f", file(1), 9);
    assert_eq!(restored.steps(), ["download add /f"]);
    let edited = Bench::new().agreed("f", file(1), 7).server("f", file(2), 9);
    assert_eq!(edited.steps(), ["download add /f"]);
    let outdated = Bench::new().agreed("f", file(1), 7).server("f", file(1), 7);
    assert_eq!(outdated.sent(|sent| sent.infer_deletions = false).steps(), ["download add /f"]);
}

#[test]
fn what_the_server_let_go_is_deleted_on_the_client_unless_it_was_edited() {
    let agreed = Bench::new().agreed("f", file(1), 7).claims("f", file(1));
    let decision = agreed.decide();
    assert_eq!(steps(&decision), ["delete /f"]);
    assert_eq!(decision.plan.to_delete[0].replaces, Some(content(1)));
    assert_eq!(Bench::new().agreed("f", file(1), 7).claims("f", file(2)).steps(), ["conflict /f"]);
}

#[test]
fn what_was_deleted_long_ago_is_not_brought_back() {
    let bench = Bench::new().claims("f", file(1)).history("f", 1, None);
    assert_eq!(bench.steps(), ["deleted elsewhere /f"]);
    let bench = Bench::new().claims("f", file(1)).history("f", 1, Some("g")).server("g", file(1), 5);
    assert_eq!(bench.steps(), ["download add /g", "deleted elsewhere /f moved to /g"]);
}

#[test]
fn a_new_file_where_one_was_deleted_says_so() {
    let mut bench = Bench::new().claims("f", file(2)).history("f", 2, None);
    bench.answers.get_mut(&("f".to_owned(), content(2))).unwrap().kept = false;
    assert_eq!(bench.steps(), ["upload add /f resurrects"]);
}

#[test]
fn a_renamed_file_is_moved_without_its_bytes_where_the_client_can() {
    let bench = Bench::new().agreed("f", file(1), 7).server("f", file(1), 7).claims("g", file(1));
    assert_eq!(bench.steps(), ["deleted by client /f", "upload add /g"]);
    let bench = bench.sent(|sent| sent.moves = true);
    assert_eq!(bench.steps(), ["moved by client /f /g"]);
    // Two files with that content: it is not guessed which one was meant.
    let bench = bench.claims("h", file(1)).server("h", file(1), 8);
    assert_eq!(bench.steps(), ["deleted by client /f", "upload add /g"]);
}

#[test]
fn a_file_that_somebody_moved_is_moved_on_the_client() {
    let bench = Bench::new().agreed("f", file(1), 7).claims("f", file(1)).server("g", file(1), 8).history(
        "f",
        1,
        Some("g"),
    );
    assert_eq!(bench.steps(), ["delete /f", "download add /g"]);
    assert_eq!(bench.sent(|sent| sent.moves = true).steps(), ["move /f /g"]);
}

#[test]
fn the_same_content_under_a_name_of_another_file_is_no_move() {
    let bench = Bench::new().agreed("f", file(1), 7).claims("f", file(1)).server("g", file(1), 8);
    assert_eq!(bench.sent(|sent| sent.moves = true).steps(), ["delete /f", "download add /g"]);
}

#[test]
fn a_file_is_not_moved_to_where_something_stands_in_the_way_until_later_in_the_plan() {
    let moved = || {
        Bench::new()
            .agreed("f", file(1), 7)
            .claims("f", file(1))
            .server("d", file(1), 8)
            .history("f", 1, Some("d"))
            .sent(|sent| sent.moves = true)
    };
    assert_eq!(moved().steps(), ["move /f /d"]);
    let with_a_folder_there = moved().claims("d/x", file(2)).agreed("d/x", file(2), 6);
    assert_eq!(with_a_folder_there.steps(), ["delete /f", "delete /d/x", "download add /d"]);
}

#[test]
fn only_a_path_that_was_never_agreed_is_the_new_name_of_a_rename() {
    let bench = Bench::new()
        .agreed("f", file(1), 7)
        .claims("f", file(1))
        .server("g", file(1), 8)
        .agreed("g", file(2), 5)
        .history("f", 1, Some("g"));
    assert_eq!(bench.sent(|sent| sent.moves = true).steps(), ["delete /f", "download add /g"]);
}

#[test]
fn keep_local_holds_although_the_history_came_to_know_the_content() {
    let mut bench = Bench::new()
        .claims("f", file(1))
        .agreed("f", file(3), 8)
        .server("f", file(3), 10)
        .history("f", 1, None);
    assert_eq!(bench.steps(), ["download modify /f stale"]);
    bench.rows.get_mut("f").unwrap().forced = Some(Box::new(content(1)));
    assert_eq!(bench.steps(), ["upload modify /f"]);
    bench.claims.insert("f".to_owned(), Claim::Held(file(2)));
    let bench = bench.history("f", 2, None);
    assert_eq!(bench.steps(), ["download modify /f stale"], "only that content was chosen");
}

#[test]
fn of_two_renames_the_first_commit_wins() {
    let bench = Bench::new()
        .agreed("f", file(1), 7)
        .claims("mine", file(1))
        .server("theirs", file(1), 8)
        .history("f", 1, Some("theirs"))
        .sent(|sent| sent.moves = true);
    assert_eq!(bench.steps(), ["move /mine /theirs"]);
}

#[test]
fn a_file_that_was_renamed_back_stays() {
    let bench = Bench::new().agreed("g", file(1), 7).server("g", file(1), 7).claims("f", file(1)).history(
        "f",
        1,
        Some("g"),
    );
    assert_eq!(bench.steps(), ["deleted by client /g", "upload add /f"]);
    assert_eq!(bench.sent(|sent| sent.moves = true).steps(), ["moved by client /g /f"]);
}

#[test]
fn an_empty_file_is_never_taken_for_a_moved_one() {
    let empty = Value::File(ContentHash::EMPTY);
    let bench = Bench::new().agreed("f", empty, 7).server("f", empty, 7).claims("g", empty);
    let bench = bench.sent(|sent| sent.moves = true);
    assert_eq!(bench.steps(), ["deleted by client /f", "upload add /g"]);
}

#[test]
fn folders_are_told_only_to_clients_that_list_them() {
    let bench = Bench::new().server("d", Value::Folder, 3);
    assert_eq!(bench.steps(), NOTHING);
    assert_eq!(bench.sent(|sent| sent.folders = true).steps(), ["download add /d"]);
    // One that names a folder all the same is not told to remove what the server has, too.
    let named =
        Bench::new().server("d", Value::Folder, 3).agreed("d", Value::Folder, 3).claims("d", Value::Folder);
    assert_eq!(named.steps(), NOTHING);
}

#[test]
fn a_deleted_folder_goes_after_what_was_in_it() {
    let bench = Bench::new()
        .agreed("d", Value::Folder, 3)
        .agreed("d/f", file(1), 4)
        .server("d", Value::Folder, 3)
        .server("d/f", file(1), 4)
        .sent(|sent| sent.folders = true);
    assert_eq!(bench.steps(), ["deleted by client /d/f", "deleted by client /d"]);
    let gone = Bench::new()
        .agreed("d", Value::Folder, 3)
        .agreed("d/f", file(1), 4)
        .claims("d", Value::Folder)
        .claims("d/f", file(1))
        .sent(|sent| sent.folders = true);
    assert_eq!(gone.steps(), ["delete /d/f", "delete /d"]);
}

#[test]
fn a_folder_without_files_gives_way_to_a_file_and_one_with_files_does_not() {
    let bench = Bench::new().server("d", Value::Folder, 3).claims("d", file(1));
    assert_eq!(bench.steps(), ["upload add /d"]);
    let bench = bench.server("d/f", file(2), 4);
    let decision = bench.decide();
    assert_eq!(steps(&decision), ["download add /d/f", "conflict /d"]);
    assert_eq!(decision.conflicts[0].server_hash, None);
    // The client deleted what was in it: after those deletions the file goes up.
    let bench = bench.agreed("d/f", file(2), 4);
    assert_eq!(bench.steps(), ["deleted by client /d/f", "upload add /d"]);
}

#[test]
fn a_file_in_the_place_of_a_folder_above_blocks() {
    let bench = Bench::new().server("d", file(1), 3).claims("d/f", file(2));
    let decision = bench.decide();
    assert_eq!(steps(&decision), ["download add /d", "conflict /d/f"]);
    assert_eq!(decision.conflicts[0].blocked_by, Some(DrivePath::parse("d").unwrap()));
    let bench = bench.agreed("d", file(1), 3);
    assert_eq!(bench.steps(), ["deleted by client /d", "upload add /d/f"]);
}

#[test]
fn empty_folders_of_the_client_give_way_to_a_file_whether_they_were_agreed_or_not() {
    let bench = Bench::new()
        .server("e", file(1), 3)
        .claims("e", Value::Folder)
        .claims("e/f", Value::Folder)
        .claims("e/f/g", Value::Folder)
        .sent(|sent| sent.folders = true);
    assert_eq!(bench.steps(), ["delete /e/f/g", "delete /e/f", "download modify /e"]);
    let mut bench = bench;
    bench.claims.insert("e/f/g/locked".to_owned(), Claim::Unreadable);
    assert!(!bench.steps().iter().any(|step| step.starts_with("delete")), "{:?}", bench.steps());
}

#[test]
fn what_the_device_could_not_read_is_left_alone_with_all_beneath() {
    let mut bench = Bench::new()
        .agreed("d", Value::Folder, 3)
        .agreed("d/f", file(1), 4)
        .server("d", Value::Folder, 3)
        .server("d/f", file(1), 4)
        .server("d/g", file(2), 5)
        .sent(|sent| sent.folders = true);
    bench.claims.insert("d".to_owned(), Claim::Unreadable);
    let decision = bench.decide();
    assert_eq!(steps(&decision), ["unsyncable /d Unreadable"]);
    assert_eq!(decision.unjudged.len(), 3);
    // It stays unknown for a delta that does not name it.
    let row = decision.rows.get("d/f").unwrap().as_ref().unwrap();
    assert_eq!((row.claimed, row.agreed), (Some(Claim::Unreadable), Some(Agreed::Held(file(1)))));
}

#[test]
fn what_the_device_is_not_to_hold_or_cannot_is_told_and_not_planned() {
    let mut bench = Bench::new()
        .agreed("out/f", file(1), 4)
        .server("out/f", file(1), 4)
        .claims("out/g", file(2))
        .server("nul", file(3), 5);
    bench.unsyncable = |path| match path {
        "nul" => Some(Reason::ReservedName),
        _ => Some(Reason::OutOfScope),
    };
    let decision = bench.decide();
    assert_eq!(steps(&decision), ["unsyncable /nul ReservedName", "unsyncable /out/g OutOfScope"]);
    assert_eq!(decision.rows.get("out/f"), Some(&None), "a path that left the scope is forgotten");
}

#[test]
fn more_than_fifty_files_and_a_fifth_need_a_yes_for_exactly_that_set() {
    let mut bench = Bench::new();
    for number in 0..300 {
        let path = format!("f{number:03}");
        bench = bench.agreed(&path, file(number), 4).server(&path, file(number), 4);
        if number >= 60 {
            bench = bench.claims(&path, file(number));
        }
    }
    assert_eq!(bench.decide().plan.deleted_by_client.len(), 60, "a fifth of 300 is let pass");
    bench.claims.remove("f299");
    let withheld = bench.decide().plan;
    assert_eq!(withheld.deleted_by_client, []);
    let asked = withheld.needs_confirmation.unwrap();
    assert_eq!((asked.deletes.len(), asked.reverts.len()), (61, 0));
    let token: &'static str = asked.token.leak();
    let mut bench = bench.sent(|sent| sent.confirmed = Some(token));
    assert_eq!(bench.decide().plan.deleted_by_client.len(), 61);
    bench.claims.remove("f298");
    let other = bench.decide().plan;
    assert_eq!(other.deleted_by_client, []);
    assert_ne!(other.needs_confirmation.unwrap().token, token);
}

#[test]
fn a_mass_of_reverts_needs_a_yes_as_well() {
    let mut bench = Bench::new().sent(|sent| sent.current_token = true);
    for number in 0..51 {
        let path = format!("f{number:03}");
        bench = bench
            .agreed(&path, file(number), 4)
            .server(&path, file(number), 4)
            .claims(&path, file(1000 + number))
            .history(&path, 1000 + number, None);
    }
    let withheld = bench.decide().plan;
    assert_eq!(withheld.to_upload, []);
    assert_eq!(withheld.needs_confirmation.unwrap().reverts.len(), 51);
    bench.claims.insert("f000".to_owned(), Claim::Held(file(0)));
    assert_eq!(bench.decide().plan.to_upload.len(), 50, "fifty always may");
}

#[test]
fn a_device_that_claims_nothing_of_what_it_held_has_lost_its_disk() {
    let bench = Bench::new().agreed("f", file(1), 3).server("f", file(1), 3);
    assert_eq!(bench.steps(), ["deleted by client /f"], "one file may just have been deleted");
    let bench = bench.agreed("g", file(2), 4).server("g", file(2), 4);
    assert_eq!(bench.steps(), NOTHING);
    assert!(bench.decide().plan.needs_confirmation.is_some());
}

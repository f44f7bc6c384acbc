//! What each way of settling a conflict asks for, and what it does to the agreement (algorithms B rule d).

use holdfast_protocol::{ContentHash, Kind, Value};
use holdfastd::domain::reconcile::resolution::{Open, Outcome, Present, Resolution, Store, resolve};
use holdfastd::domain::reconcile::{Agreed, Row, ServerNode};

use crate::simulation::{RESOLUTIONS, content};

const OPEN: Open = Open {
    client_hash: content(1),
    server_hash: Some(content(2)),
    server_kind: Some(Kind::File),
    has_candidate: true,
};

fn node(value: Value) -> ServerNode {
    ServerNode { id: 5, value, seq: 9, size: 1, modified_at_ns: 0, version: 1 }
}

fn settle(resolution: Resolution, open: &Open, node: Option<&ServerNode>, is_blocked: bool) -> Outcome {
    resolve(resolution, open, None, Present { node, is_blocked }, None)
}

fn held(hash: ContentHash) -> Option<Agreed> {
    Some(Agreed::Held(Value::File(hash)))
}

fn settled(outcome: Outcome) -> (Option<Store>, Row) {
    match outcome {
        Outcome::Settled { store, row } => (store, row),
        other => panic!("{other:?}"),
    }
}

#[test]
fn keep_local_agrees_on_the_servers_side_so_that_the_client_uploads() {
    let there = node(Value::File(content(2)));
    let (store, row) = settled(settle(Resolution::KeepLocal, &OPEN, Some(&there), false));
    assert_eq!((store, row.agreed, row.agreed_seq), (None, held(content(2)), 9));
    assert_eq!(row.forced.as_deref(), Some(&content(1)));
}

#[test]
fn keep_local_of_a_file_that_is_gone_agrees_on_its_absence() {
    let gone = Open { server_hash: None, server_kind: None, ..OPEN };
    let (store, row) = settled(settle(Resolution::KeepLocal, &gone, None, false));
    assert_eq!((store, row.agreed, row.agreed_seq), (None, Some(Agreed::Gone), 0));
    assert_eq!(row.forced.as_deref(), Some(&content(1)));
}

#[test]
fn keep_local_cannot_take_the_place_of_a_folder() {
    let folder = Open { server_hash: None, server_kind: Some(Kind::Folder), ..OPEN };
    let there = node(Value::Folder);
    assert_eq!(settle(Resolution::KeepLocal, &folder, Some(&there), false), Outcome::KindsDiffer);
    let gone = Open { server_hash: None, server_kind: None, ..OPEN };
    assert_eq!(settle(Resolution::KeepLocal, &gone, None, true), Outcome::KindsDiffer);
}

#[test]
fn the_other_three_agree_on_the_clients_side_so_that_it_takes_the_servers() {
    let there = node(Value::File(content(2)));
    for (resolution, wanted) in [
        (Resolution::KeepServer, None),
        (Resolution::CreateVersion, Some(Store::Version)),
        (Resolution::KeepBoth, Some(Store::Sibling)),
    ] {
        let (store, row) = settled(settle(resolution, &OPEN, Some(&there), false));
        assert_eq!((store, row.agreed, row.agreed_seq, row.forced), (wanted, held(content(1)), 0, None));
    }
}

#[test]
fn what_is_to_be_stored_has_to_be_here() {
    let there = node(Value::File(content(2)));
    let open = Open { has_candidate: false, ..OPEN };
    for resolution in [Resolution::CreateVersion, Resolution::KeepBoth] {
        assert_eq!(settle(resolution, &open, Some(&there), false), Outcome::NeedsUpload);
    }
    settled(settle(Resolution::KeepServer, &open, Some(&there), false));
    settled(settle(Resolution::KeepLocal, &open, Some(&there), false));
}

#[test]
fn nothing_is_settled_on_what_the_person_did_not_see() {
    let there = node(Value::File(content(2)));
    for resolution in RESOLUTIONS {
        for now in [None, Some(&node(Value::File(content(3)))), Some(&node(Value::Folder))] {
            assert_eq!(settle(resolution, &OPEN, now, false), Outcome::ServerMoved);
        }
        let gone = Open { server_hash: None, server_kind: None, ..OPEN };
        assert_eq!(settle(resolution, &gone, Some(&node(Value::Folder)), false), Outcome::ServerMoved);
        let present = Present { node: Some(&there), is_blocked: false };
        for seen in [None, Some(content(3))] {
            assert_eq!(resolve(resolution, &OPEN, Some(seen), present, None), Outcome::ServerMoved);
        }
        settled(resolve(resolution, &OPEN, Some(Some(content(2))), present, None));
    }
}

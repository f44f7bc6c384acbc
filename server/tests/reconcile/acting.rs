//! What explicit sync acts do to a device's agreement (algorithms B rule b).

use std::collections::BTreeMap;

use holdfast_protocol::Value;
use holdfast_protocol::manifest::Claim;
use holdfastd::domain::reconcile::acts::{self, Moved};
use holdfastd::domain::reconcile::{Agreed, Row, ServerNode};

use crate::server::map;
use crate::simulation::content;

fn file(number: u16) -> Value {
    Value::File(content(number))
}

fn node(value: Value, seq: i64) -> ServerNode {
    ServerNode { id: 5, value, seq, size: 1, modified_at_ns: 0, version: 1 }
}

fn row(agreed: Value, seq: i64) -> Row {
    Row { agreed: Some(Agreed::Held(agreed)), agreed_seq: seq, ..Row::default() }
}

fn named<T>(entries: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    entries.into_iter().map(|(path, value)| (path.to_owned(), value)).collect()
}

#[test]
fn a_put_agrees_on_its_result_and_leaves_the_claim() {
    let claimed = Some(Claim::Held(file(1)));
    let forced = Some(Box::new(content(1)));
    let before = Row { claimed, forced, ..row(file(2), 3) };
    let after = acts::put(Some(before), &node(file(1), 9));
    assert_eq!(after, Row { claimed, node: 5, ..row(file(1), 9) });
}

#[test]
fn a_delete_forgets_the_agreement_and_leaves_the_claim() {
    assert_eq!(acts::deleted(row(file(1), 3)), None);
    let claimed = Some(Claim::Held(file(1)));
    let after = acts::deleted(Row { claimed, ..row(file(1), 3) });
    assert_eq!(after, Some(Row { claimed, ..Row::default() }));
}

#[test]
fn a_move_takes_the_rows_along_and_makes_nothing_agreed() {
    let gone = Row { agreed: Some(Agreed::Gone), ..Row::default() };
    let rows = map(&named([
        ("d", row(Value::Folder, 2)),
        ("d/kept", row(file(1), 3)),
        ("d/came back", row(file(2), 4)),
        ("d/edited", row(file(3), 5)),
        ("d/gone", gone.clone()),
        ("e/gone", Row { claimed: Some(Claim::Unreadable), ..Row::default() }),
    ]));
    let before = map(&named([
        ("d", node(Value::Folder, 2)),
        ("d/kept", node(file(1), 3)),
        ("d/came back", node(file(2), 8)),
        ("d/edited", node(file(9), 7)),
        ("d/of others", node(file(4), 6)),
    ]));
    let after = map(&named([
        ("e", node(Value::Folder, 10)),
        ("e/kept", node(file(1), 10)),
        ("e/came back", node(file(2), 10)),
        ("e/edited", node(file(9), 10)),
        ("e/of others", node(file(4), 10)),
    ]));
    let act = Moved { from: "d", to: "e", rows: &rows, before: &before, after: &after };
    let changed = acts::moved(&act).unwrap();
    let at = |path: &str| changed.get(path).cloned().flatten();
    assert_eq!(at("e"), Some(Row { node: 5, ..row(Value::Folder, 10) }));
    assert_eq!(at("e/kept"), Some(Row { node: 5, ..row(file(1), 10) }));
    assert_eq!(at("e/came back"), Some(row(file(2), 4)), "it died meanwhile, and still has");
    assert_eq!(at("e/edited"), Some(row(file(3), 5)));
    assert_eq!(at("e/gone"), Some(Row { claimed: Some(Claim::Unreadable), ..gone }));
    assert_eq!(changed.get("e/of others"), None, "the device may not hold what others put there");
    for old in ["d", "d/kept", "d/came back", "d/edited", "d/gone"] {
        assert_eq!(changed.get(old), Some(&None), "{old}");
    }
}

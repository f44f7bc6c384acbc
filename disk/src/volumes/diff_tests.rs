use proptest::prelude::*;
use serde_json::json;

use super::super::{Kind, Mount};
use super::*;

fn a_volume(fingerprint: &str, points: &[&str], available: u64) -> Volume {
    let mounts = points
        .iter()
        .map(|point| Mount {
            mount_point: (*point).to_owned(),
            root: "/".into(),
            options: Vec::new(),
            read_only: false,
        })
        .collect();
    Volume {
        name: fingerprint.to_owned(),
        device: Some(format!("/dev/{fingerprint}")),
        fingerprint: fingerprint.to_owned(),
        weak: false,
        kind: Kind::Usb,
        uuid: None,
        part_uuid: None,
        serial: None,
        wwn: None,
        label: None,
        model: None,
        file_system: None,
        mounts,
        total_bytes: Some(1 << 40),
        available_bytes: Some(available),
        read_only: false,
        raw: json!(null),
    }
}

fn a_snapshot(volumes: Vec<Volume>) -> Snapshot {
    Snapshot { volumes, problems: Vec::new(), complete: true }
}

#[test]
fn a_volume_that_comes_is_added_and_one_that_goes_is_removed() {
    let (one, two) = (a_volume("a", &[], 0), a_volume("b", &["/b"], 0));
    let (before, after) = (a_snapshot(vec![one]), a_snapshot(vec![two]));
    let removed = Difference::Removed { fingerprint: "a".into(), name: "a".into() };
    let added = Difference::Added { fingerprint: "b".into(), name: "b".into() };
    assert_eq!(diff(&before, &after), [removed, added]);
    assert!(diff(&before, &before).is_empty());
}

#[test]
fn what_an_incomplete_snapshot_does_not_show_is_not_gone_and_comes_back_in_silence() {
    let before = a_snapshot(vec![a_volume("a", &["/a"], 5), a_volume("b", &[], 5)]);
    let less_known = Volume { device: Some("/dev/a".into()), ..a_volume("weak", &["/a"], 5) };
    let after = Snapshot { complete: false, ..a_snapshot(vec![less_known]) };
    assert!(diff(&before, &after).is_empty());
    let settled = settle(&before, after);
    assert_eq!(settled.volumes, before.volumes);
    assert!(diff(&settled, &before).is_empty());
}

#[test]
fn each_mount_point_that_comes_or_goes_is_told() {
    let before = a_snapshot(vec![a_volume("a", &["/old", "/stays"], 0)]);
    let after = a_snapshot(vec![a_volume("a", &["/new", "/stays"], 0)]);
    let told = |is_mounted, point: &str| Difference::MountChanged {
        fingerprint: "a".into(),
        is_mounted,
        mount_point: point.into(),
    };
    assert_eq!(diff(&before, &after), [told(false, "/old"), told(true, "/new")]);
}

#[test]
fn being_unmounted_is_not_told_as_a_change_of_size() {
    let before = a_snapshot(vec![a_volume("a", &["/a"], 5 << 30)]);
    let gone = Volume { total_bytes: Some(2 << 40), available_bytes: None, ..a_volume("a", &[], 0) };
    assert_eq!(diff(&before, &a_snapshot(vec![gone])).len(), 1);
}

#[test]
fn free_space_is_told_beyond_a_gibibyte_or_a_hundredth() {
    let large = |available| a_snapshot(vec![a_volume("a", &["/a"], available)]);
    assert!(diff(&large(10 << 30), &large(11 << 30)).is_empty());
    assert_eq!(diff(&large(10 << 30), &large((11 << 30) + 1)).len(), 1);
    let small =
        |available| a_snapshot(vec![Volume { total_bytes: Some(1000), ..a_volume("a", &["/a"], available) }]);
    assert!(diff(&small(500), &small(490)).is_empty());
    assert_eq!(diff(&small(500), &small(489)).len(), 1);
}

#[test]
fn a_share_that_does_not_answer_for_a_while_has_not_changed() {
    let before = a_snapshot(vec![a_volume("a", &["/a"], 5 << 30)]);
    let silent = Volume { total_bytes: None, available_bytes: None, ..a_volume("a", &["/a"], 0) };
    let after = a_snapshot(vec![silent]);
    assert!(diff(&before, &after).is_empty());
    assert!(diff(&settle(&before, after), &before).is_empty());
}

#[test]
fn a_new_name_and_a_new_size_are_told() {
    let before = a_snapshot(vec![a_volume("a", &["/a"], 0), a_volume("b", &[], 0)]);
    let mut after = before.clone();
    after.volumes[0].name = "photos".into();
    after.volumes[1].total_bytes = Some(7);
    assert_eq!(diff(&before, &after).len(), 2);
}

proptest! {
    #[test]
    fn a_disk_that_fills_in_small_steps_is_told_of_though_no_step_is(steps in proptest::collection::vec(1_u64..(1 << 29), 8..40)) {
        let mut known = a_snapshot(vec![a_volume("a", &["/a"], 1 << 38)]);
        let mut available = 1_u64 << 38;
        let mut told = available;
        for step in steps {
            available -= step;
            let now = a_snapshot(vec![a_volume("a", &["/a"], available)]);
            if !diff(&known, &now).is_empty() {
                told = available;
            }
            known = settle(&known, now);
            prop_assert!(told - available <= AMOUNT);
        }
    }

    #[test]
    fn what_was_settled_differs_in_nothing_that_is_told(
        old in proptest::collection::btree_map("[a-f]", (0_u64..(1 << 40), any::<bool>()), 0..6),
        new in proptest::collection::btree_map("[a-f]", (0_u64..(1 << 40), any::<bool>()), 0..6),
    ) {
        let snapshot = |volumes: BTreeMap<String, (u64, bool)>| a_snapshot(volumes.into_iter().map(
            |(name, (available, is_mounted))| a_volume(&name, if is_mounted { &["/m"] } else { &[] }, available)).collect());
        let (before, after) = (snapshot(old), snapshot(new));
        prop_assert!(diff(&settle(&before, after.clone()), &after).is_empty());
    }
}

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::*;

#[test]
fn disks_with_the_same_serial_number_are_told_apart_by_their_place_whichever_comes_first() {
    let at = |place: &str| Identity { place: text(place), ..a_disk() };
    let (forward, _) = of_all(&[at("sda1"), at("sdb1")]);
    let (backward, _) = of_all(&[at("sdb1"), at("sda1")]);
    assert!(forward[0] == backward[1] && forward[1] == backward[0] && forward[0] != forward[1]);
    assert!(forward.iter().all(|print| print.weak));
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn a_disk() -> Identity {
    Identity {
        file_system: text("ext4"),
        uuid: text("56ADC99B-a61e-46af-aab7-a6d07e504652"),
        part_uuid: text("0f6f7d54-01"),
        wwn: text("0x5000c500a1b2c3d4"),
        serial: text("S1"),
        model: text("Disk"),
        part_number: Some(1),
        label: text("photos"),
        size: Some(1 << 40),
        ..Identity::default()
    }
}

#[test]
fn the_most_specific_identifier_there_is_decides() {
    let mut disk = a_disk();
    assert_eq!(of(&disk).text, "fs:ext:56adc99b-a61e-46af-aab7-a6d07e504652");
    disk.uuid = text("");
    assert_eq!(of(&disk).text, "part:0f6f7d54-01");
    disk.part_uuid = text("00000000-0000-0000-0000-000000000000");
    assert_eq!(of(&disk).text, "wwn:0x5000c500a1b2c3d4:1");
    disk.wwn = None;
    assert_eq!(of(&disk).text, "serial:Disk:S1:1");
    assert!(!of(&disk).weak);
    disk.serial = None;
    assert_eq!(of(&disk).text, "weak:ext:photos:1099511627776:Disk:1");
    assert!(of(&disk).weak);
}

#[test]
fn shares_are_the_same_however_they_are_written() {
    for (file_system, share, url) in [
        ("nfs4", "NAS.local:/srv/photos", "nfs://nas.local/srv/photos"),
        ("nfs", "nas.local:/srv//photos/", "nfs://nas.local/srv/photos"),
        ("nfs4", "[fe80::1]:/srv", "nfs://[fe80::1]/srv"),
        ("cifs", "//NAS/Home", "smb://nas/home"),
        ("smb3", "\\\\nas\\home\\Sub", "smb://nas/home/Sub"),
        ("fuse", "https://me:secret@NAS/dav/home/", "https://me@nas/dav/home"),
        ("fuse.sshfs", "me@nas:music", "sshfs://me@nas/~/music"),
        ("fuse.sshfs", "me@[::1]:/music", "sshfs://me@[::1]/music"),
        ("nfs", "NAS:/odd]name", "nfs://nas/odd]name"),
    ] {
        assert_eq!(share_url(file_system, share), url);
        let identity = Identity { file_system: text(file_system), share: text(share), ..Identity::default() };
        assert_eq!(of(&identity), Fingerprint { text: format!("net:{url}"), weak: false });
    }
}

#[test]
fn clones_are_all_told_apart_by_their_disks_and_a_problem_says_so() {
    let clone = Identity { serial: text("S2"), wwn: None, ..a_disk() };
    let other = Identity { uuid: text("other"), ..a_disk() };
    let (prints, problems) = of_all(&[a_disk(), other.clone(), clone]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("56adc99b"), "{problems:?}");
    assert_ne!(prints[0], prints[2]);
    assert!(prints[0] != of(&a_disk()) && prints[2] != of(&a_disk()), "neither is taken for the one before");
    assert!(!prints[0].weak);
    assert_eq!(prints[1], of(&other));
}

#[test]
fn clones_without_any_serial_number_are_told_apart_by_their_place_and_weak() {
    let bare =
        |place: &str| Identity { part_uuid: None, wwn: None, serial: None, place: text(place), ..a_disk() };
    let (prints, _) = of_all(&[bare("/a.img"), bare("/b.img"), bare("/b.img")]);
    assert!(prints.iter().all(|print| print.weak));
    let distinct: std::collections::HashSet<_> = prints.iter().collect();
    assert_eq!(distinct.len(), 3);
}

#[test]
fn parts_do_not_run_into_each_other() {
    let with = |file_system: &str, uuid: &str| {
        of(&Identity { file_system: text(file_system), uuid: text(uuid), ..Identity::default() })
    };
    assert_ne!(with("a:b", "c"), with("a", "b:c"));
    assert_ne!(with("aü", "b"), with("a", "üb"));
    assert_ne!(with("xfs", "A B"), with("xfs", "AB"));
    assert_ne!(with("xfs", "a\u{7}"), with("xfs", "a"));
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof!["[a-f0-9-]{1,36}", any::<String>(), "\\PC{0,8}[\\x00-\\x1f]\\PC{0,8}"])
}

fn any_identity() -> impl Strategy<Value = Identity> {
    let texts =
        (any_text(), any_text(), any_text(), any_text(), any_text(), any_text(), any_text(), any_text());
    (texts, any::<Option<u32>>(), any::<Option<u64>>(), any_text()).prop_map(
        |(texts, part_number, size, place)| {
            let (file_system, uuid, part_uuid, wwn, serial, model, share, label) = texts;
            Identity {
                file_system,
                uuid,
                part_uuid,
                wwn,
                serial,
                model,
                part_number,
                share,
                label,
                size,
                place,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_fingerprint_is_bounded_and_free_of_control_characters(identity in any_identity()) {
        let print = of(&identity);
        prop_assert!(print.text.len() <= MAX_BYTES);
        prop_assert!(print.text.chars().all(|c| c.is_ascii_graphic()), "{:?}", print.text);
    }

    #[test]
    fn no_two_volumes_of_one_machine_share_a_fingerprint(
        mut identities in proptest::collection::vec(any_identity(), 1..8), again in any::<proptest::sample::Index>(),
    ) {
        identities.push(identities[again.index(identities.len())].clone());
        let (prints, problems) = of_all(&identities);
        let distinct: std::collections::HashSet<_> = prints.iter().map(|print| &print.text).collect();
        prop_assert_eq!(distinct.len(), identities.len());
        prop_assert!(!problems.is_empty());
        prop_assert!(prints.iter().all(|print| print.text.len() <= MAX_BYTES));
    }

    #[test]
    fn who_stands_beside_a_volume_in_which_order_does_not_matter(
        serials in proptest::collection::hash_set("[A-Z0-9]{4,8}", 2..6),
    ) {
        let identities: Vec<_> = serials.into_iter().map(|serial| Identity { serial: Some(serial), ..a_disk() }).collect();
        let (mut forward, _) = of_all(&identities);
        let backward: Vec<_> = identities.into_iter().rev().collect();
        forward.reverse();
        prop_assert_eq!(forward, of_all(&backward).0);
    }
}

#[test]
fn identifiers_of_megabytes_are_bounded_and_still_told_apart() {
    let long = |end: &str| {
        let uuid = format!("{}{end}", "f".repeat(3 << 20));
        of(&Identity { uuid: Some(uuid), ..a_disk() })
    };
    assert!(long("1").text.len() <= MAX_BYTES);
    assert_ne!(long("1"), long("2"));
    let share = Identity { share: Some(format!("nas:/{}", "x/".repeat(1 << 20))), ..Identity::default() };
    let print = of(&share).text;
    assert!(print.starts_with("net:#") && print.len() <= MAX_BYTES, "{}", print.get(..20).unwrap());
}

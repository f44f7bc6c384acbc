#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::super::{devices, mountinfo};
use super::*;

/// A machine with a disk in it, a disk of two btrfs halves, a stick, an encrypted disk and a loop device.
const LSBLK: &str = r#"{"blockdevices":[
 {"name":"sda","kname":"sda","path":"/dev/sda","maj:min":"8:0","type":"disk","size":1000,"tran":"sata","serial":"SA","model":"Inside","children":[
  {"name":"sda1","kname":"sda1","path":"/dev/sda1","maj:min":"8:1","type":"part","size":900,"fstype":"ext4","uuid":"u-root","label":null},
  {"name":"sda2","kname":"sda2","path":"/dev/sda2","maj:min":"8:2","type":"part","size":50,"fstype":"swap","uuid":"u-swap"}]},
 {"name":"sdb","kname":"sdb","path":"/dev/sdb","maj:min":"8:16","type":"disk","size":500,"fstype":"btrfs","uuid":"u-pool","label":"pool"},
 {"name":"sdc","kname":"sdc","path":"/dev/sdc","maj:min":"8:32","type":"disk","size":500,"fstype":"btrfs","uuid":"u-pool","label":"pool"},
 {"name":"sdd","kname":"sdd","path":"/dev/sdd","maj:min":"8:48","type":"disk","size":64,"tran":"usb","serial":"SD","model":"Stick","children":[
  {"name":"sdd1","kname":"sdd1","path":"/dev/sdd1","maj:min":"8:49","type":"part","size":64,"fstype":"crypto_LUKS","uuid":"u-luks","children":[
   {"name":"secret","kname":"dm-0","path":"/dev/mapper/secret","maj:min":"253:0","type":"crypt","size":60,"fstype":"ext4","uuid":"u-secret","label":"My\u0007 disk"}]}]},
 {"name":"loop0","kname":"loop0","path":"/dev/loop0","maj:min":"7:0","type":"loop","size":30,"fstype":"ext4","uuid":"u-loop"},
 {"name":"loop1","kname":"loop1","path":"/dev/loop1","maj:min":"7:1","type":"loop","size":30,"fstype":"squashfs"},
 {"name":"zram0","kname":"zram0","path":"/dev/zram0","maj:min":"252:0","type":"disk","size":0}
]}"#;

const TABLE: &str = "\
1 0 8:1 / / rw,relatime - ext4 /dev/root rw
2 1 0:5 / /proc rw - proc proc rw
3 1 0:6 / /run rw - tmpfs tmpfs rw
4 1 0:7 / /pool rw - btrfs /dev/sdc rw,subvol=/
5 1 0:7 /@home /home ro - btrfs /dev/sdc rw,subvol=/@home
6 1 253:0 / /secret rw - ext4 /dev/mapper/secret ro
7 1 8:1 /srv/data /data rw - ext4 /dev/root rw
8 1 0:9 / /share rw - nfs4 NAS:/export/ rw,addr=10.0.0.1
9 1 0:9 / /again rw - nfs4 nas:/export rw,addr=10.0.0.1
10 1 7:1 / /snap/x ro - squashfs /dev/loop1 ro
11 1 0:11 / /ctr rw - overlay overlay rw
12 1 8:1 /old//deleted /old rw - ext4 /dev/root rw
13 1 8:1 /engine/hosts /etc/hosts rw - ext4 /dev/root rw
";

fn known(table: &str) -> Known {
    let lines = mountinfo::parse(table.as_bytes()).0;
    let devices = devices::join(devices::from_lsblk(LSBLK.as_bytes()).unwrap(), Vec::new());
    Known { lines, devices, ..Known::default() }
}

fn snapshot(known: &Known) -> Snapshot {
    let (drafts, problems) = drafts(known);
    let usage = vec![Some(Usage { total: 100, available: 40 }); drafts.len()];
    assemble(known, drafts, &usage, problems)
}

fn find<'a>(snapshot: &'a Snapshot, fingerprint: &str) -> &'a Volume {
    match snapshot.volumes.iter().find(|volume| volume.fingerprint == fingerprint) {
        Some(volume) => volume,
        None => panic!("no {fingerprint} in {snapshot:#?}"),
    }
}

fn points(volume: &Volume) -> Vec<&str> {
    volume.mounts.iter().map(|mount| &mount.mount_point[..]).collect()
}

#[test]
fn a_machine_has_the_volumes_that_may_hold_files_and_no_others() {
    let seen = snapshot(&known(TABLE));
    let prints: Vec<_> = seen.volumes.iter().map(|volume| &volume.fingerprint[..]).collect();
    assert_eq!(
        prints,
        ["fs:btrfs:u-pool", "fs:ext:u-loop", "fs:ext:u-root", "fs:ext:u-secret", "net:nfs://nas/export",]
    );
    assert!(seen.problems.is_empty(), "{:?}", seen.problems);
}

#[test]
fn bind_mounts_and_subvolumes_belong_to_their_volume_and_what_is_deleted_or_an_engines_does_not() {
    let seen = snapshot(&known(TABLE));
    let root = find(&seen, "fs:ext:u-root");
    assert_eq!(points(root), ["/", "/data"]);
    assert_eq!(root.mounts[1].root, "/srv/data");
    let pool = find(&seen, "fs:btrfs:u-pool");
    assert_eq!(points(pool), ["/home", "/pool"]);
    assert_eq!((pool.mounts[0].read_only, pool.mounts[1].read_only, pool.read_only), (true, false, false));
    assert_eq!(points(find(&seen, "net:nfs://nas/export")), ["/again", "/share"]);
}

#[test]
fn a_volume_tells_what_people_want_to_know() {
    let seen = snapshot(&known(TABLE));
    let secret = find(&seen, "fs:ext:u-secret");
    assert_eq!((&secret.name[..], secret.kind, secret.read_only), ("My  disk", Kind::Usb, true));
    assert_eq!(secret.device.as_deref(), Some("/dev/mapper/secret"));
    let root = find(&seen, "fs:ext:u-root");
    assert_eq!((&root.name[..], root.kind), ("Inside", Kind::Internal));
    assert_eq!((root.total_bytes, root.available_bytes), (Some(100), Some(40)));
    assert_eq!(root.serial.as_deref(), Some("SA"));
    let share = find(&seen, "net:nfs://nas/export");
    assert_eq!((share.kind, share.device.as_deref()), (Kind::Network, Some("nfs://nas/export")));
    let image = find(&seen, "fs:ext:u-loop");
    assert_eq!((image.kind, image.is_mounted()), (Kind::Other, false));
}

#[test]
fn the_halves_of_a_btrfs_are_one_volume_and_a_copy_beside_one_in_use_is_a_clone() {
    let mut machine = known(TABLE);
    machine.btrfs = HashMap::from([("u-pool".to_owned(), vec!["sdc".to_owned()])]);
    let seen = snapshot(&machine);
    let pools: Vec<_> = seen.volumes.iter().filter(|v| v.uuid.as_deref() == Some("u-pool")).collect();
    assert_eq!(pools.len(), 2);
    assert!(pools.iter().all(|pool| pool.fingerprint.starts_with("clone:") && pool.weak));
    assert_eq!(seen.problems.len(), 1, "{:?}", seen.problems);
}

#[test]
fn clones_on_two_disks_are_told_apart_by_their_serial_numbers() {
    let mut machine = known("");
    let devices = &mut machine.devices;
    let mut clone = devices.iter().find(|device| device.kernel_name == "sda1").unwrap().clone();
    clone.kernel_name = "sde1".into();
    clone.serial = Some("SE".into());
    devices.push(clone);
    let seen = snapshot(&machine);
    let alike: Vec<_> = seen.volumes.iter().filter(|v| v.uuid.as_deref() == Some("u-root")).collect();
    assert_eq!(alike.len(), 2);
    assert!(
        alike.iter().all(|volume| volume.fingerprint.starts_with("clone:") && !volume.weak),
        "{alike:#?}"
    );
    assert!(seen.problems[0].contains("u-root"));
}

#[test]
fn the_disks_of_a_mirror_are_no_volumes_although_each_looks_like_its_file_system() {
    let half = |name: &str| {
        format!(
            r#"{{"name":"{name}","kname":"{name}","type":"disk","size":900,"fstype":"ext4","uuid":"u-mirror","children":[
            {{"name":"md0","kname":"md0","path":"/dev/md0","maj:min":"9:0","type":"raid1","size":900,"fstype":"ext4","uuid":"u-mirror"}}]}}"#
        )
    };
    let text = format!(r#"{{"blockdevices":[{},{}]}}"#, half("sdx"), half("sdy"));
    let devices = devices::from_lsblk(text.as_bytes()).unwrap();
    let seen = snapshot(&Known { devices, ..Known::default() });
    let found: Vec<_> = seen.volumes.iter().map(|v| (v.device.as_deref(), &v.fingerprint[..])).collect();
    assert_eq!(found, [(Some("/dev/md0"), "fs:ext:u-mirror")]);
}

#[test]
fn a_btrfs_that_is_not_mounted_is_as_large_as_its_disks_together() {
    let (drafts, _) = drafts(&known(""));
    let seen = assemble(&known(""), drafts, &[], Vec::new());
    assert_eq!(find(&seen, "fs:btrfs:u-pool").total_bytes, Some(1000));
    assert_eq!(find(&seen, "fs:ext:u-root").total_bytes, Some(900));
}

#[test]
fn a_mount_that_is_hidden_by_another_is_not_where_its_volume_is() {
    let table = format!("{TABLE}20 6 7:0 / /secret rw - ext4 /dev/loop0 rw\n");
    let seen = snapshot(&known(&table));
    assert!(!find(&seen, "fs:ext:u-secret").is_mounted());
    assert_eq!(points(find(&seen, "fs:ext:u-loop")), ["/secret"]);
}

#[test]
fn a_mount_point_that_is_not_text_is_told_and_hides_nothing_else() {
    let mut machine = known(TABLE);
    let mut odd = machine.lines[0].clone();
    (odd.id, odd.parent, odd.mount_point) = (30, 1, b"/odd\xff".to_vec());
    machine.lines.push(odd);
    let seen = snapshot(&machine);
    assert_eq!(points(find(&seen, "fs:ext:u-root")), ["/", "/data"]);
    assert!(seen.problems[0].contains("not UTF-8"), "{:?}", seen.problems);
}

#[test]
fn without_any_knowledge_of_devices_what_is_mounted_is_still_seen() {
    let machine = Known { devices: Vec::new(), ..known(TABLE) };
    let seen = snapshot(&machine);
    let secret = seen.volumes.iter().find(|volume| points(volume) == ["/secret"]);
    assert!(secret.is_some_and(|volume| volume.weak), "{seen:#?}");
    assert!(seen.volumes.iter().any(|volume| volume.fingerprint == "net:nfs://nas/export"));
}

#[test]
fn the_name_of_a_device_of_which_nothing_else_is_known_does_not_identify_it() {
    let print = |table: &str| {
        let seen = snapshot(&Known { devices: Vec::new(), ..known(table) });
        seen.volumes.iter().map(|volume| volume.fingerprint.clone()).collect::<Vec<_>>()
    };
    let table = "1 0 8:17 / /mnt rw - xfs /dev/sdb1 rw\n";
    assert_eq!(print(table), ["weak:xfs::100::whole"]);
    assert_eq!(print(table), print(&table.replace("8:17", "8:33").replace("sdb1", "sdc1")));
}

#[test]
fn a_disk_counts_by_its_numbers_whatever_path_it_was_mounted_by_and_a_word_makes_no_disk() {
    let table = "1 0 8:1 / / rw - ext4 /tmp/my-link rw\n2 1 0:9 / /t rw - tmpfs /dev/sdd rw\n\
        3 1 0:10 / /o rw - overlay /dev/mapper/secret rw\n";
    let seen = snapshot(&known(table));
    assert_eq!(points(find(&seen, "fs:ext:u-root")), ["/"]);
    assert!(!find(&seen, "fs:ext:u-secret").is_mounted());
    assert_eq!(seen.volumes.iter().filter(|volume| volume.is_mounted()).count(), 1);
}

#[test]
fn file_systems_in_memory_are_each_shown_when_they_are_wanted() {
    let table = format!("{TABLE}40 1 0:40 / /tmp rw - tmpfs tmpfs rw\n");
    let seen = snapshot(&Known { tmpfs: true, ..known(&table) });
    let in_memory = seen.volumes.iter().filter(|volume| volume.file_system.as_deref() == Some("tmpfs"));
    assert_eq!(in_memory.count(), 2);
}

proptest! {
    #[test]
    fn in_which_order_a_source_tells_its_devices_does_not_matter(
        turns in Just((0_usize..7).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let told: Value = serde_json::from_str(LSBLK).unwrap();
        let shuffled: Vec<_> = turns.iter().map(|&turn| told["blockdevices"][turn].clone()).collect();
        let text = serde_json::to_vec(&json!({ "blockdevices": shuffled })).unwrap();
        let other = Known { devices: devices::join(devices::from_lsblk(&text).unwrap(), Vec::new()), ..known(TABLE) };
        prop_assert_eq!(snapshot(&other).volumes, snapshot(&known(TABLE)).volumes);
    }

    #[test]
    fn names_of_devices_and_places_of_mounts_do_not_change_who_is_who(
        letters in proptest::sample::subsequence(vec!['e', 'f', 'g', 'h', 'i'], 4).prop_shuffle(),
        folder in "[a-z]{1,8}", shuffled in Just(TABLE.lines().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let before = snapshot(&known(TABLE));
        let rename = |text: &str| {
            let pairs = "abcd".chars().zip(&letters);
            // By way of capitals, so that no new name is taken for an old one.
            let text = pairs.fold(text.to_owned(), |text, (old, new)| text.replace(&format!("sd{old}"), &format!("SD{new}")));
            text.replace("SD", "sd")
        };
        let table = rename(&shuffled.join("\n")).replace("/secret rw", &format!("/media/{folder} rw"));
        let devices = devices::from_lsblk(rename(LSBLK).as_bytes()).unwrap();
        let lines = mountinfo::parse(table.as_bytes()).0;
        let after = snapshot(&Known { lines, devices: devices::join(devices, Vec::new()), ..Known::default() });
        let prints = |snapshot: &Snapshot| snapshot.volumes.iter().map(|v| v.fingerprint.clone()).collect::<Vec<_>>();
        prop_assert_eq!(prints(&before), prints(&after));
    }
}

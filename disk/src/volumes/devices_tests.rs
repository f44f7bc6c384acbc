#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const LSBLK: &[u8] = br#"{"blockdevices":[
 {"name":"sda","kname":"sda","path":"/dev/sda","maj:min":"8:0","type":"disk","size":1000204886016,"ro":false,"tran":"usb",
  "fstype":null,"uuid":null,"serial":"S-1 ","wwn":"0x5000","model":"Mobile Disk","children":[
   {"name":"sda1","kname":"sda1","path":"/dev/sda1","maj:min":"8:1","type":"part","size":500,"ro":false,"tran":null,
    "fstype":"ext4","uuid":"aa-bb","label":"photos","partuuid":"p-1","serial":null},
   {"name":"sda2","kname":"sda2","path":"/dev/sda2","maj:min":"8:2","type":"part","size":500,"fstype":"LVM2_member","children":[
    {"name":"vg-home","kname":"dm-0","path":"/dev/mapper/vg-home","maj:min":"253:0","type":"lvm","size":900,"fstype":"xfs"}]}]},
 {"name":"sdb","kname":"sdb","type":"disk","size":"700","ro":"1","children":[
   {"name":"vg-home","kname":"dm-0","path":"/dev/mapper/vg-home","maj:min":"253:0","type":"lvm"}]}
]}"#;

fn device<'a>(devices: &'a [Device], name: &str) -> &'a Device {
    devices.iter().find(|device| device.kernel_name == name).unwrap()
}

#[test]
fn the_tree_is_read_with_what_is_built_from_what() {
    let devices = from_lsblk(LSBLK).unwrap();
    assert_eq!(devices.len(), 5);
    let home = device(&devices, "dm-0");
    assert_eq!(home.below, ["sda2", "sdb"]);
    assert_eq!((home.numbers, home.is_taken), (Some((253, 0)), false));
    assert!(device(&devices, "sda2").is_taken && device(&devices, "sda").is_taken);
    assert_eq!(device(&devices, "sda").serial.as_deref(), Some("S-1"));
}

#[test]
fn numbers_and_truths_of_older_versions_are_texts() {
    let devices = from_lsblk(LSBLK).unwrap();
    let old = device(&devices, "sdb");
    assert_eq!((old.size, old.read_only, &old.path[..]), (Some(700), true, "/dev/sdb"));
}

#[test]
fn a_partition_has_the_serial_number_of_its_disk_and_a_logical_volume_has_none() {
    let seen = vec![Device {
        kernel_name: "sda1".into(),
        part_number: Some(1),
        below: vec!["sda".into()],
        label: Some("other".into()),
        ..Device::default()
    }];
    let devices = join(from_lsblk(LSBLK).unwrap(), seen);
    let part = device(&devices, "sda1");
    assert_eq!((part.serial.as_deref(), part.wwn.as_deref()), (Some("S-1"), Some("0x5000")));
    assert_eq!((part.transport.as_deref(), part.part_number), (Some("usb"), Some(1)));
    assert_eq!(part.label.as_deref(), Some("photos"), "who speaks first is not overruled");
    assert_eq!(device(&devices, "dm-0").serial, None);
}

#[test]
fn what_is_encrypted_on_a_partition_is_another_thing_than_its_disk() {
    let seen = vec![
        Device { kernel_name: "sda".into(), serial: Some("S-1".into()), ..Device::default() },
        Device { kernel_name: "dm-1".into(), below: vec!["sda".into()], ..Device::default() },
    ];
    assert_eq!(device(&join(Vec::new(), seen), "dm-1").serial, None);
}

#[test]
fn what_only_one_source_knows_is_kept() {
    let seen = vec![Device { kernel_name: "loop0".into(), size: Some(5), ..Device::default() }];
    let devices = join(from_lsblk(LSBLK).unwrap(), seen);
    assert_eq!((devices.len(), device(&devices, "loop0").size), (6, Some(5)));
}

#[test]
fn blkid_fills_in_what_is_missing() {
    let mut devices = from_lsblk(LSBLK).unwrap();
    let export = b"DEVNAME=/dev/sdb\nLABEL=my\\ disk\nUUID=CC-DD\nTYPE=vfat\n\nDEVNAME=/dev/sda1\nUUID=other\n\nDEVNAME=/dev/no\n";
    fill_from_blkid(&mut devices, export);
    let filled = device(&devices, "sdb");
    assert_eq!(filled.label.as_deref(), Some("my disk"));
    assert_eq!((filled.uuid.as_deref(), filled.file_system.as_deref()), (Some("CC-DD"), Some("vfat")));
    assert_eq!(device(&devices, "sda1").uuid.as_deref(), Some("aa-bb"));
}

#[test]
fn what_is_no_list_of_devices_is_an_error() {
    for odd in ["", "{}", "[]", "{\"blockdevices\":3}", "lsblk: unknown column"] {
        assert!(from_lsblk(odd.as_bytes()).is_err(), "{odd}");
    }
    assert!(from_lsblk(b"{\"blockdevices\":[3,null,{}]}").unwrap().is_empty());
}

//! What the kernel's and udev's own files tell of block devices: `/sys/class/block` and the links in `/dev/disk`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, json};

use super::devices::{Device, numbers_of};

/// An attribute is a page at most.
const MAX_ATTRIBUTE: u64 = 4096;
/// The kernel counts sizes in these, whatever the disk does.
const SECTOR_BYTES: u64 = 512;

/// Every block device below `sys` (`/sys`).
///
/// # Errors
/// When there is no list of them.
pub fn block_devices(sys: &Path) -> io::Result<Vec<Device>> {
    let mut devices = Vec::new();
    for entry in fs::read_dir(sys.join("class/block"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // One that was pulled out while we look is left out.
        let Ok(folder) = fs::canonicalize(entry.path()) else { continue };
        devices.push(one(&name, &folder));
    }
    Ok(devices)
}

fn one(name: &str, folder: &Path) -> Device {
    let read = |attribute: &str| attribute_of(&folder.join(attribute));
    let part_number = read("partition").and_then(|number| number.parse().ok());
    let mut below = names_in(&folder.join("slaves"));
    if part_number.is_some() {
        below.extend(
            folder.parent().and_then(Path::file_name).map(|disk| disk.to_string_lossy().into_owned()),
        );
    }
    let holders = names_in(&folder.join("holders"));
    let is_usb = folder.components().any(|part| is_usb_bus(&part.as_os_str().to_string_lossy()));
    let dm_name = read("dm/name");
    // Slashes in device names are shown as exclamation marks.
    let path = match &dm_name {
        Some(mapped) => format!("/dev/mapper/{mapped}"),
        None => format!("/dev/{}", name.replace('!', "/")),
    };
    let backing_file = read("loop/backing_file");
    let kind = match () {
        () if part_number.is_some() => Some("part"),
        () if name.starts_with("loop") => Some("loop"),
        () if name.starts_with("sr") => Some("rom"),
        () => None,
    };
    let raw = json!({ "holders": holders, "backing_file": backing_file, "dm_name": dm_name, "usb": is_usb });
    Device {
        kernel_name: name.to_owned(),
        path,
        numbers: read("dev").and_then(|numbers| numbers_of(&numbers)),
        kind: kind.map(str::to_owned),
        size: read("size")
            .and_then(|size| size.parse::<u64>().ok())
            .map(|size| size.saturating_mul(SECTOR_BYTES)),
        read_only: read("ro").as_deref() == Some("1"),
        transport: is_usb.then(|| "usb".to_owned()),
        part_number,
        serial: read("serial").or_else(|| read("device/serial")),
        wwn: read("wwid").or_else(|| read("device/wwid")),
        model: read("device/model").or_else(|| read("device/name")),
        backing_file,
        below,
        is_taken: !holders.is_empty(),
        raw: Map::from_iter([("sys".to_owned(), raw)]),
        ..Device::default()
    }
}

/// `usb1`, `usb2`: how a bus is called in the path of what hangs on it.
fn is_usb_bus(part: &str) -> bool {
    part.strip_prefix("usb").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn attribute_of(file: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(file).ok()?.take(MAX_ATTRIBUTE).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Which devices make up each btrfs that is in use, by its UUID.
pub fn btrfs_members(sys: &Path) -> HashMap<String, Vec<String>> {
    let folder = sys.join("fs/btrfs");
    names_in(&folder)
        .into_iter()
        .map(|uuid| (uuid.to_lowercase(), names_in(&folder.join(uuid).join("devices"))))
        .filter(|(_, members)| !members.is_empty())
        .collect()
}

/// Fills in what udev's links below `dev` (`/dev`) tell, where nothing else did.
pub fn fill_from_links(devices: &mut [Device], dev: &Path) {
    let by_uuid = links(&dev.join("disk/by-uuid"));
    let by_label = links(&dev.join("disk/by-label"));
    let by_part_uuid = links(&dev.join("disk/by-partuuid"));
    let by_part_label = links(&dev.join("disk/by-partlabel"));
    for device in devices {
        for (mine, links) in [
            (&mut device.uuid, &by_uuid),
            (&mut device.label, &by_label),
            (&mut device.part_uuid, &by_part_uuid),
            (&mut device.part_label, &by_part_label),
        ] {
            if mine.is_none() {
                *mine = links.get(&device.kernel_name).cloned();
            }
        }
    }
}

/// The names of links by the kernel's name of the device they lead to.
fn links(folder: &Path) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for name in names_in(folder) {
        let Ok(target) = fs::canonicalize(folder.join(&name)) else { continue };
        if let Some(device) = target.file_name().and_then(|device| device.to_str()) {
            found.insert(device.to_owned(), unescape(&name));
        }
    }
    found
}

/// Udev writes what may not stand in a file name as `\x20`.
fn unescape(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.strip_prefix(b"x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

    use std::os::unix::fs::symlink;

    use super::*;

    fn put(file: &Path, text: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn a_disk_on_usb_is_known_with_its_partition() {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("devices/pci0/usb3/3-1/block/sdx");
        put(&disk.join("size"), "2000\n");
        put(&disk.join("device/model"), "Stick 3000  \n");
        put(&disk.join("sdx1/partition"), "1\n");
        put(&disk.join("sdx1/dev"), "8:113\n");
        put(&disk.join("sdx1/size"), "1000\n");
        put(&disk.join("sdx1/ro"), "1\n");
        let class = dir.path().join("class/block");
        fs::create_dir_all(&class).unwrap();
        symlink(&disk, class.join("sdx")).unwrap();
        symlink(disk.join("sdx1"), class.join("sdx1")).unwrap();
        symlink(dir.path().join("gone"), class.join("sdy")).unwrap();
        let mut devices = block_devices(dir.path()).unwrap();
        devices.sort_by(|a, b| a.kernel_name.cmp(&b.kernel_name));
        let [disk, part] = &devices[..] else { panic!("{devices:?}") };
        assert_eq!((disk.size, disk.model.as_deref()), (Some(1_024_000), Some("Stick 3000")));
        assert_eq!((part.numbers, part.part_number, part.read_only), (Some((8, 113)), Some(1), true));
        assert_eq!(part.below, ["sdx"]);
        assert_eq!(part.transport.as_deref(), Some("usb"));
    }

    #[test]
    fn links_tell_identifiers_with_their_odd_letters() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("sdx1"), "");
        for folder in ["by-uuid", "by-label"] {
            fs::create_dir_all(dir.path().join("disk").join(folder)).unwrap();
        }
        symlink("../../sdx1", dir.path().join("disk/by-uuid/AB-12")).unwrap();
        symlink("../../sdx1", dir.path().join("disk/by-label/My\\x20disk\\x2fü")).unwrap();
        let mut devices = [Device { kernel_name: "sdx1".into(), ..Device::default() }];
        fill_from_links(&mut devices, dir.path());
        assert_eq!(devices[0].uuid.as_deref(), Some("AB-12"));
        assert_eq!(devices[0].label.as_deref(), Some("My disk/ü"));
        assert_eq!(devices[0].part_uuid, None);
    }

    #[test]
    fn the_parts_of_a_btrfs_are_known_by_its_uuid() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("fs/btrfs/AA-BB/devices/sda"), "");
        put(&dir.path().join("fs/btrfs/AA-BB/devices/sdb"), "");
        fs::create_dir_all(dir.path().join("fs/btrfs/features")).unwrap();
        let members = btrfs_members(dir.path());
        assert_eq!(members.len(), 1);
        assert_eq!(members["aa-bb"], ["sda", "sdb"]);
    }
}

//! Block devices as `lsblk`, `blkid` and the system's own files tell of them, put together. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

/// What `lsblk` is asked for: columns that every version since 2018 has, for one that it does not know makes it say
/// nothing at all. The number of a partition is a newer one and comes from the kernel.
pub const COLUMNS: &str =
    "NAME,KNAME,PATH,MAJ:MIN,TYPE,SIZE,RO,TRAN,FSTYPE,UUID,LABEL,PARTUUID,PARTLABEL,SERIAL,WWN,MODEL";
/// Deeper trees than this are not real.
const MAX_DEPTH: usize = 16;

/// A block device. Texts are as the source told them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Device {
    /// The kernel's name: `sda1`, `dm-0`.
    pub kernel_name: String,
    /// Its file: `/dev/sda1`, `/dev/mapper/home`.
    pub path: String,
    /// Major and minor number.
    pub numbers: Option<(u32, u32)>,
    /// What `lsblk` calls it: `disk`, `part`, `loop`, `rom`, `crypt`.
    pub kind: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// It refuses to be written.
    pub read_only: bool,
    /// How it is attached: `usb`, `sata`, `nvme`.
    pub transport: Option<String>,
    /// The type of the file system on it.
    pub file_system: Option<String>,
    /// The file system's UUID.
    pub uuid: Option<String>,
    /// The file system's label.
    pub label: Option<String>,
    /// The partition's UUID.
    pub part_uuid: Option<String>,
    /// The partition's name.
    pub part_label: Option<String>,
    /// The partition's number.
    pub part_number: Option<u32>,
    /// The disk's serial number.
    pub serial: Option<String>,
    /// The disk's world wide name.
    pub wwn: Option<String>,
    /// The disk's model.
    pub model: Option<String>,
    /// The file behind a loop device.
    pub backing_file: Option<String>,
    /// Kernel names of what it is a part of or built from.
    pub below: Vec<String>,
    /// Other devices but partitions are built from it, or it has partitions: what is on it belongs to them.
    pub is_taken: bool,
    /// What the sources said.
    pub raw: Map<String, Value>,
}

/// Reads what `lsblk --json` said.
///
/// # Errors
/// When it is not of that form.
pub fn from_lsblk(text: &[u8]) -> Result<Vec<Device>, String> {
    let value: Value = serde_json::from_slice(text).map_err(|e| format!("lsblk said something odd: {e}"))?;
    let list = value.get("blockdevices").and_then(Value::as_array);
    let list = list.ok_or_else(|| "lsblk said something odd: no list of devices".to_owned())?;
    let mut devices = BTreeMap::new();
    for record in list {
        add_record(record, None, 0, &mut devices);
    }
    Ok(devices.into_values().collect())
}

fn add_record(record: &Value, parent: Option<&str>, depth: usize, devices: &mut BTreeMap<String, Device>) {
    let text = |key: &str| text_of(record.get(key));
    let Some(kernel_name) = text("kname").or_else(|| text("name")) else { return };
    if depth > MAX_DEPTH {
        return;
    }
    let children = record.get("children").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // A device stands in the tree once for each that it is built from.
    let device = devices.entry(kernel_name.clone()).or_insert_with(|| {
        let mut raw = record.as_object().cloned().unwrap_or_default();
        raw.remove("children");
        raw.retain(|_, value| !value.is_null());
        Device {
            kernel_name: kernel_name.clone(),
            path: text("path").unwrap_or_else(|| format!("/dev/{kernel_name}")),
            numbers: text("maj:min").and_then(|numbers| numbers_of(&numbers)),
            kind: text("type"),
            size: record.get("size").and_then(number_of),
            read_only: record.get("ro").is_some_and(is_true),
            transport: text("tran"),
            file_system: text("fstype"),
            uuid: text("uuid"),
            label: text("label"),
            part_uuid: text("partuuid"),
            part_label: text("partlabel"),
            serial: text("serial"),
            wwn: text("wwn"),
            model: text("model"),
            raw: Map::from_iter([("lsblk".to_owned(), Value::Object(raw))]),
            ..Device::default()
        }
    });
    if let Some(parent) = parent
        && !device.below.iter().any(|name| name == parent)
    {
        device.below.push(parent.to_owned());
    }
    device.is_taken |= !children.is_empty();
    for child in children {
        add_record(child, Some(&kernel_name), depth + 1, devices);
    }
}

/// Puts together what `lsblk` and the system's files told of each device: the first speaks first, the second fills in;
/// what is known of a disk holds for its partitions.
pub fn join(told: Vec<Device>, seen: Vec<Device>) -> Vec<Device> {
    let mut devices: BTreeMap<String, Device> =
        told.into_iter().map(|device| (device.kernel_name.clone(), device)).collect();
    for other in seen {
        match devices.get_mut(&other.kernel_name) {
            Some(device) => fill(device, other),
            None => {
                devices.insert(other.kernel_name.clone(), other);
            }
        }
    }
    let disks: HashMap<String, Device> =
        devices.iter().map(|(name, device)| (name.clone(), device.clone())).collect();
    for device in devices.values_mut() {
        let is_part = device.part_number.is_some() || device.kind.as_deref() == Some("part");
        if let [disk] = &device.below[..]
            && is_part
            && let Some(disk) = disks.get(disk)
        {
            for (mine, of_disk) in [
                (&mut device.serial, &disk.serial),
                (&mut device.wwn, &disk.wwn),
                (&mut device.model, &disk.model),
                (&mut device.transport, &disk.transport),
                (&mut device.backing_file, &disk.backing_file),
            ] {
                *mine = mine.take().or_else(|| of_disk.clone());
            }
        }
    }
    devices.into_values().collect()
}

fn fill(device: &mut Device, other: Device) {
    let texts = [
        (&mut device.kind, other.kind),
        (&mut device.transport, other.transport),
        (&mut device.file_system, other.file_system),
        (&mut device.uuid, other.uuid),
        (&mut device.label, other.label),
        (&mut device.part_uuid, other.part_uuid),
        (&mut device.part_label, other.part_label),
        (&mut device.serial, other.serial),
        (&mut device.wwn, other.wwn),
        (&mut device.model, other.model),
        (&mut device.backing_file, other.backing_file),
    ];
    for (mine, others) in texts {
        *mine = mine.take().or(others);
    }
    device.numbers = device.numbers.or(other.numbers);
    device.size = device.size.or(other.size);
    device.part_number = device.part_number.or(other.part_number);
    device.read_only |= other.read_only;
    device.is_taken |= other.is_taken;
    for name in other.below {
        if !device.below.contains(&name) {
            device.below.push(name);
        }
    }
    device.raw.extend(other.raw);
}

/// Reads what `blkid -o export` said and fills in what nobody else knew.
pub fn fill_from_blkid(devices: &mut [Device], text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for block in text.split("\n\n") {
        let pairs: HashMap<&str, String> = block
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key, unescape(value)))
            .collect();
        let Some(device) = pairs.get("DEVNAME").and_then(|path| devices.iter_mut().find(|d| d.path == *path))
        else {
            continue;
        };
        let value = |key: &str| pairs.get(key).filter(|value| !value.is_empty()).cloned();
        let other = Device {
            file_system: value("TYPE"),
            uuid: value("UUID"),
            label: value("LABEL"),
            part_uuid: value("PARTUUID"),
            part_label: value("PARTLABEL"),
            ..Device::default()
        };
        let raw =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::String(value.clone()))).collect();
        device.raw.insert("blkid".to_owned(), Value::Object(raw));
        fill(device, other);
    }
}

/// `blkid` puts a backslash before what a shell would not take as it is.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

/// `8:17` as numbers.
pub fn numbers_of(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn text_of(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Older versions of `lsblk` tell numbers and truths as texts.
fn number_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn is_true(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| matches!(value.as_str(), Some("1" | "true")) || value.as_u64() == Some(1))
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;

//! From mounts and devices to volumes. Pure: what is asked of the system is asked in `system.rs`.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::devices::Device;
use super::fingerprint::{self, Fingerprint, Identity};
use super::kinds::{self, Class, Kind};
use super::mountinfo::{Line, reachable};
use super::usage::Usage;
use super::{Mount, Snapshot, Volume, tidy};

/// Mounts of one volume that are shown; a machine of containers has thousands.
const MAX_MOUNTS: usize = 256;
/// Devices may be built from devices so many times.
const MAX_DEPTH: usize = 8;
/// How the kernel marks a folder that was deleted while it was mounted.
const DELETED: &[u8] = b"//deleted";

/// What was found of one file system before it is asked how full it is.
#[derive(Debug)]
pub struct Draft {
    /// The device in the list, if one is known.
    device: Option<usize>,
    class: Class,
    /// The type as the mount tells it.
    mounted_as: Option<String>,
    /// What is mounted, for a share or where the device is not known.
    source: Option<String>,
    mounts: Vec<Mount>,
    /// Nothing can be written to the file system, wherever it is mounted.
    read_only: bool,
}

impl Draft {
    /// Where to ask how full it is.
    pub fn mount_point(&self) -> Option<&str> {
        self.mounts.iter().min_by_key(|mount| mount.root.len()).map(|mount| &mount.mount_point[..])
    }

    /// Whether a device is mounted of which no UUID is known.
    pub fn lacks_uuid(&self, devices: &[Device]) -> bool {
        self.device.is_some_and(|at| devices[at].uuid.is_none())
    }

    /// The type that it is mounted as.
    pub fn mounted_as(&self) -> Option<&str> {
        self.mounted_as.as_deref()
    }

    /// Its device in the list.
    pub fn device(&self) -> Option<usize> {
        self.device
    }
}

/// What is known of the machine.
#[derive(Debug, Default)]
pub struct Known {
    /// The table of mounts.
    pub lines: Vec<Line>,
    /// The block devices.
    pub devices: Vec<Device>,
    /// Kernel names by sources of mounts that are links to devices.
    pub links: HashMap<String, String>,
    /// The devices of each btrfs in use.
    pub btrfs: HashMap<String, Vec<String>>,
    /// File systems in memory are wanted, too.
    pub tmpfs: bool,
}

/// One file system: by its first device, or by what is mounted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Device(String),
    Numbers(u32, u32),
    Source(String),
}

/// Groups mounts and devices by file system, and says what could not be taken in.
pub fn drafts(known: &Known) -> (Vec<Draft>, Vec<String>) {
    let mut drafts: BTreeMap<Key, Draft> = BTreeMap::new();
    let mut problems = Vec::new();
    for (line, is_reachable) in known.lines.iter().zip(reachable(&known.lines)) {
        let source = String::from_utf8_lossy(&line.source).into_owned();
        let at = device_of(known, line, &source);
        let class = match kinds::class(&line.file_system, &source, known.tmpfs) {
            // Somebody mounted it by a path of his own; its numbers say that there is a disk.
            Class::Pseudo if line.device.0 != 0 && at.is_some() && !kinds::is_no_place(&line.file_system) => {
                Class::Block
            }
            class => class,
        };
        let key = match (class, at) {
            (Class::Pseudo, _) => continue,
            (Class::Network, _) => Key::Source(fingerprint::share_url(&line.file_system, &source)),
            // A tmpfs may be called anything, and most are called tmpfs.
            (Class::Other, _) if matches!(&line.file_system[..], "tmpfs" | "ramfs") => {
                Key::Numbers(line.device.0, line.device.1)
            }
            (_, Some(at)) => Key::Device(representative(known, at)),
            (Class::Block, None) if line.device.0 != 0 => Key::Numbers(line.device.0, line.device.1),
            (_, None) => Key::Source(format!("{} {source}", line.file_system)),
        };
        let at = match &key {
            Key::Device(name) => known.devices.iter().position(|device| device.kernel_name == *name),
            _ => None,
        };
        let draft = drafts.entry(key).or_insert_with(|| Draft {
            device: at,
            class,
            mounted_as: Some(line.file_system.clone()),
            source: (!source.is_empty()).then_some(source),
            mounts: Vec::new(),
            read_only: false,
        });
        draft.read_only |= line.super_options.iter().any(|option| option == "ro");
        if is_reachable && !line.root.ends_with(DELETED) && !kinds::is_of_container(&line.mount_point) {
            match mount_of(line) {
                Some(mount) => draft.mounts.push(mount),
                None => problems.push(format!(
                    "{} is left out: its name is not UTF-8",
                    tidy(&String::from_utf8_lossy(&line.mount_point)).unwrap_or_default()
                )),
            }
        }
    }
    for (at, device) in known.devices.iter().enumerate() {
        let holds_files = device.file_system.as_deref().is_some_and(|name| !kinds::is_no_place(name));
        let is_part = representative(known, at) != device.kernel_name;
        if holds_files && !device.is_taken && !is_part && device.size != Some(0) {
            drafts.entry(Key::Device(device.kernel_name.clone())).or_insert_with(|| Draft {
                device: Some(at),
                class: Class::Block,
                mounted_as: None,
                source: None,
                mounts: Vec::new(),
                read_only: device.read_only,
            });
        }
    }
    let mut drafts: Vec<Draft> = drafts.into_values().collect();
    for draft in &mut drafts {
        draft.mounts.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        if draft.mounts.len() > MAX_MOUNTS {
            let more = draft.mounts.len() - MAX_MOUNTS;
            problems.push(format!("{more} mounts of one volume are not shown"));
            draft.mounts.truncate(MAX_MOUNTS);
        }
    }
    (drafts, problems)
}

fn mount_of(line: &Line) -> Option<Mount> {
    Some(Mount {
        mount_point: String::from_utf8(line.mount_point.clone()).ok()?,
        root: String::from_utf8(line.root.clone()).ok()?,
        options: line.options.clone(),
        read_only: line.is_read_only(),
    })
}

/// The block device of a mount: by its numbers, or by what its source leads to where the file system has numbers of its own
/// (btrfs).
fn device_of(known: &Known, line: &Line, source: &str) -> Option<usize> {
    if line.device.0 != 0 {
        return known.devices.iter().position(|device| device.numbers == Some(line.device));
    }
    // bcachefs names all its devices, joined by colons.
    let source = source.split(':').next().filter(|first| first.starts_with("/dev/"))?;
    let name = known.links.get(source).map_or(source.trim_start_matches("/dev/"), String::as_str);
    known.devices.iter().position(|device| device.path == source || device.kernel_name == name)
}

/// Under which device's name a file system on several is kept: the first of them.
fn representative(known: &Known, at: usize) -> String {
    let device = &known.devices[at];
    let name = &device.kernel_name;
    let Some(uuid) =
        device.uuid.as_ref().filter(|_| device.file_system.as_deref().is_some_and(kinds::spans_devices))
    else {
        let of_it = known.btrfs.values().find(|members| members.contains(name));
        return of_it.and_then(|members| members.first()).unwrap_or(name).clone();
    };
    // In use, the kernel knows its members, and another device with that UUID is a clone.
    if let Some(members) = known.btrfs.get(&uuid.to_lowercase()) {
        return members.first().filter(|_| members.contains(name)).unwrap_or(name).clone();
    }
    let alike = known.devices.iter().filter(|other| {
        other.uuid.as_ref().is_some_and(|theirs| theirs.eq_ignore_ascii_case(uuid)) && !other.is_taken
    });
    alike.map(|other| &other.kernel_name).min().unwrap_or(name).clone()
}

/// Puts the snapshot together; `usage` is in the order of the drafts.
pub fn assemble(
    known: &Known,
    drafts: Vec<Draft>,
    usage: &[Option<Usage>],
    problems: Vec<String>,
) -> Snapshot {
    let usage: Vec<Option<Usage>> = (0..drafts.len()).map(|at| usage.get(at).copied().flatten()).collect();
    let identities: Vec<Identity> =
        drafts.iter().zip(&usage).map(|(draft, usage)| identity(known, draft, *usage)).collect();
    let (prints, clones) = fingerprint::of_all(&identities);
    let parts = drafts.into_iter().zip(identities).zip(prints).zip(usage);
    let mut volumes: Vec<Volume> = parts
        .map(|(((draft, identity), print), usage)| volume(known, draft, identity, print, usage))
        .collect();
    volumes.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    let problems = problems.into_iter().chain(clones).filter_map(|problem| tidy_problem(&problem)).collect();
    Snapshot { volumes, problems, complete: true }
}

/// Like a name, with more room.
fn tidy_problem(problem: &str) -> Option<String> {
    let text: String = problem.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
    (!text.trim().is_empty()).then_some(text)
}

fn identity(known: &Known, draft: &Draft, usage: Option<Usage>) -> Identity {
    let device = draft.device.map(|at| &known.devices[at]);
    let of = |field: fn(&Device) -> &Option<String>| device.and_then(|device| field(device).clone());
    let file_system = of(|device| &device.file_system).or_else(|| draft.mounted_as.clone());
    let place = of(|device| &device.backing_file).or_else(|| device.map(|device| device.kernel_name.clone()));
    Identity {
        file_system,
        uuid: of(|device| &device.uuid),
        part_uuid: of(|device| &device.part_uuid),
        // lsblk and the kernel write it each in their own way.
        wwn: of(|device| &device.wwn).map(|wwn| bare_wwn(&wwn).to_owned()),
        serial: of(|device| &device.serial),
        model: of(|device| &device.model),
        part_number: device.and_then(|device| device.part_number),
        share: draft.source.clone().filter(|_| draft.class == Class::Network),
        // What a pool or a folder of the host is called is all there is to know it by.
        label: of(|device| &device.label)
            .or_else(|| draft.source.clone().filter(|_| draft.class == Class::Other)),
        size: match device {
            Some(device) => device.size,
            // Nothing is known of the disk itself; what it is called today says nothing about which it is.
            None => usage.filter(|_| draft.class == Class::Block).map(|usage| usage.total),
        },
        place: place.or_else(|| draft.mount_point().map(str::to_owned)),
    }
}

fn bare_wwn(wwn: &str) -> &str {
    ["0x", "naa.", "eui.", "uuid."].iter().find_map(|prefix| wwn.strip_prefix(prefix)).unwrap_or(wwn)
}

fn volume(
    known: &Known,
    draft: Draft,
    identity: Identity,
    print: Fingerprint,
    usage: Option<Usage>,
) -> Volume {
    let device = draft.device.map(|at| &known.devices[at]);
    let tidied = |text: &Option<String>| text.as_deref().and_then(tidy);
    let share = identity
        .share
        .as_ref()
        .map(|share| fingerprint::share_url(identity.file_system.as_deref().unwrap_or("share"), share));
    let part_label = device.and_then(|device| tidied(&device.part_label));
    let path =
        share.clone().or_else(|| device.map(|device| device.path.clone())).or_else(|| draft.source.clone());
    let label = device.and_then(|device| tidied(&device.label));
    let short_path = path.as_deref().map(|path| path.trim_start_matches("/dev/"));
    let name = label.clone().or(part_label).or_else(|| {
        let model = tidied(&identity.model)?;
        Some(identity.part_number.map_or_else(|| model.clone(), |number| format!("{model} ({number})")))
    });
    Volume {
        name: name.or_else(|| short_path.and_then(tidy)).unwrap_or_else(|| "unnamed".to_owned()),
        device: path.as_deref().and_then(tidy),
        fingerprint: print.text,
        weak: print.weak,
        kind: match (draft.class, draft.device) {
            (Class::Network, _) => Kind::Network,
            (_, Some(at)) => kind_of(known, at, 0),
            _ => Kind::Other,
        },
        uuid: tidied(&identity.uuid),
        part_uuid: tidied(&identity.part_uuid),
        serial: tidied(&identity.serial),
        wwn: device.and_then(|device| tidied(&device.wwn)),
        label,
        model: tidied(&identity.model),
        file_system: tidied(&identity.file_system),
        total_bytes: usage
            .map(|usage| usage.total)
            .or_else(|| draft.device.and_then(|at| size_of(known, at))),
        available_bytes: usage.map(|usage| usage.available),
        read_only: draft.read_only || device.is_some_and(|device| device.read_only),
        raw: device.map_or_else(
            || json!({ "mounted_as": draft.mounted_as }),
            |device| Value::Object(device.raw.clone()),
        ),
        mounts: draft.mounts,
    }
}

/// Bytes of a device, or of all that its file system is on.
fn size_of(known: &Known, at: usize) -> Option<u64> {
    let device = &known.devices[at];
    if !device.file_system.as_deref().is_some_and(kinds::spans_devices) {
        return device.size;
    }
    let members =
        (0..known.devices.len()).filter(|&other| representative(known, other) == device.kernel_name);
    members.map(|other| known.devices[other].size).fold(None, |sum, size| match (sum, size) {
        (Some(sum), Some(size)) => Some(u64::saturating_add(sum, size)),
        (sum, size) => sum.or(size),
    })
}

fn kind_of(known: &Known, at: usize, depth: usize) -> Kind {
    let device = &known.devices[at];
    let transport = device.transport.as_deref().unwrap_or("");
    let name = &device.kernel_name[..];
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if transport == "usb" {
        return Kind::Usb;
    }
    if transport == "iscsi" || begins(&["nbd", "rbd", "drbd"]) {
        return Kind::Network;
    }
    if matches!(device.kind.as_deref(), Some("loop" | "rom")) || begins(&["loop", "zram", "ram", "sr"]) {
        return Kind::Other;
    }
    if depth >= MAX_DEPTH {
        return Kind::Internal;
    }
    // Built from several: as removable as the most removable of them.
    let below =
        device.below.iter().filter_map(|name| known.devices.iter().position(|d| d.kernel_name == *name));
    let kinds: Vec<Kind> = below.map(|at| kind_of(known, at, depth + 1)).collect();
    [Kind::Usb, Kind::Network, Kind::Other]
        .into_iter()
        .find(|kind| kinds.contains(kind))
        .unwrap_or(Kind::Internal)
}

#[cfg(test)]
#[path = "volume_tests.rs"]
mod tests;

//! The probe of the machine it runs on.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::devices::{self, Device};
use super::itself::Itself;
use super::tool::{self, ToolError};
use super::usage::Asker;
use super::volume::{self, Draft, Known};
use super::{Probe, Snapshot, mountinfo, sys};

/// How long a tool may take.
const TOOL_LIMIT: Duration = Duration::from_secs(5);
/// How long a file system has to say which it is, and how full.
const USAGE_LIMIT: Duration = Duration::from_secs(2);
/// A table of mounts beyond this many bytes is not read.
const MAX_TABLE: u64 = 32 << 20;
/// `blkid` is asked about no more devices.
const MAX_ASKED: usize = 64;
/// What `blkid` ends with when a device holds nothing that it knows.
const BLKID_NOTHING: i32 = 2;

/// Probes this machine. Clones share their memory of mounts that do not answer.
#[derive(Debug, Clone, Default)]
pub struct System {
    asker: Asker,
    tmpfs: bool,
}

impl System {
    /// Shows disks and shares.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows file systems in memory, too.
    #[must_use]
    pub fn with_tmpfs(mut self) -> Self {
        self.tmpfs = true;
        self
    }
}

impl Probe for System {
    fn probe(&self) -> Snapshot {
        let table = match read_table(Path::new("/proc/self/mountinfo")) {
            Ok(table) => table,
            Err(e) => return Snapshot::unseen(format!("the table of mounts cannot be read: {e}")),
        };
        let (lines, unread) = mountinfo::parse(&table);
        let mut told = Told::default();
        if unread > 0 {
            told.fail(format!("{unread} lines of the table of mounts could not be read"));
        }
        let mut devices = devices(&mut told);
        sys::fill_from_links(&mut devices, Path::new("/dev"));
        let links = links(&lines);
        let btrfs = sys::btrfs_members(Path::new("/sys"));
        let mut known = Known { lines, devices, links, btrfs, tmpfs: self.tmpfs };
        let (mut drafts, mut odd) = volume::drafts(&known);
        let udev_is_silent =
            known.devices.iter().all(|device| device.file_system.is_none() && device.uuid.is_none());
        ask_themselves(&self.asker, &mut known.devices, &drafts);
        if ask_blkid(&mut known.devices, &drafts, udev_is_silent, &mut told) {
            (drafts, odd) = volume::drafts(&known);
        }
        told.problems.extend(odd);
        let points: Vec<&str> = drafts.iter().filter_map(Draft::mount_point).collect();
        let mut answers = points.iter().zip(self.asker.ask(&points, USAGE_LIMIT));
        let usage: Vec<_> = drafts
            .iter()
            .map(|draft| {
                draft.mount_point()?;
                let (point, answer) = answers.next()?;
                answer.map_err(|why| told.problems.push(format!("how full {point} is: {why}"))).ok()
            })
            .collect();
        let mut snapshot = volume::assemble(&known, drafts, &usage, told.problems);
        snapshot.complete = !told.failed;
        snapshot
    }
}

/// What went wrong so far.
#[derive(Debug, Default)]
struct Told {
    problems: Vec<String>,
    failed: bool,
}

impl Told {
    fn fail(&mut self, why: String) {
        self.problems.push(why);
        self.failed = true;
    }

    /// That a tool is not installed will be the same tomorrow: what is not seen without it never was.
    fn tool(&mut self, error: &ToolError) {
        self.failed |= !matches!(error, ToolError::Missing(_));
        self.problems.push(error.to_string());
    }
}

fn read_table(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut table = Vec::new();
    File::open(file)?.take(MAX_TABLE).read_to_end(&mut table)?;
    Ok(table)
}

fn devices(told: &mut Told) -> Vec<Device> {
    let by_kernel = sys::block_devices(Path::new("/sys"));
    let by_lsblk = match tool::run("lsblk", &["--json", "--bytes", "-o", devices::COLUMNS], TOOL_LIMIT) {
        // 64 says that some of the devices were not found, the rest is told.
        Ok(said) if matches!(said.code, Some(0 | 64)) => {
            devices::from_lsblk(&said.output).unwrap_or_else(|why| {
                told.fail(why);
                Vec::new()
            })
        }
        // In a container without /sys it fails for ever: what it does not tell there never was to be seen.
        Ok(said) if by_kernel.as_ref().map_or(true, Vec::is_empty) => {
            told.problems.push(format!("lsblk failed: {}", said.complaint));
            Vec::new()
        }
        Ok(said) => {
            told.fail(format!("lsblk failed: {}", said.complaint));
            Vec::new()
        }
        Err(e) => {
            told.tool(&e);
            Vec::new()
        }
    };
    let by_kernel = by_kernel.unwrap_or_else(|e| {
        told.problems.push(format!("/sys/class/block cannot be read: {e}"));
        Vec::new()
    });
    devices::join(by_lsblk, by_kernel)
}

/// Where sources of mounts that are devices by another name lead.
fn links(lines: &[mountinfo::Line]) -> HashMap<String, String> {
    let mut links = HashMap::new();
    for line in lines {
        let Ok(source) = std::str::from_utf8(&line.source) else { continue };
        let source = source.split(':').next().unwrap_or(source);
        if !source.starts_with("/dev/") || links.contains_key(source) {
            continue;
        }
        if let Some(name) = fs::canonicalize(source).ok().as_deref().and_then(Path::file_name) {
            links.insert(source.to_owned(), name.to_string_lossy().into_owned());
        }
    }
    links
}

/// Asks mounted file systems of which nobody told a UUID. That wakes no disk: the kernel knows it since they were mounted. One
/// that does not answer (a program that stands for a file system, and has stopped) holds up nobody.
fn ask_themselves(asker: &Asker, devices: &mut [Device], drafts: &[Draft]) {
    let lacking = drafts.iter().filter(|draft| draft.lacks_uuid(devices));
    let asked: Vec<(usize, &Draft, &str)> =
        lacking.filter_map(|draft| Some((draft.device()?, draft, draft.mount_point()?))).collect();
    let points: Vec<&str> = asked.iter().map(|(_, _, point)| *point).collect();
    let answers = asker.ask_with(&points, USAGE_LIMIT, |point| {
        let itself = Itself::at(point).ok_or("it cannot be opened")?;
        Ok((itself.uuid(), itself.label()))
    });
    for ((at, draft, _), answer) in asked.iter().zip(answers) {
        let Ok((uuid, label)) = answer else { continue };
        let device = &mut devices[*at];
        device.uuid = uuid;
        if device.uuid.is_some() && device.file_system.is_none() {
            device.file_system = draft.mounted_as().map(str::to_owned);
        }
        device.label = device.label.take().or(label);
    }
}

/// Asks `blkid` about devices that nobody knew more of: mounted ones without a UUID, and, where udev is silent, ones that
/// may hold a file system. True when it was asked. It reads the devices themselves, which may wake a disk: that is why it
/// comes last, and why an empty disk is not asked about each time where udev would have told of more.
fn ask_blkid(devices: &mut [Device], drafts: &[Draft], udev_is_silent: bool, told: &mut Told) -> bool {
    let lacking = drafts.iter().filter(|draft| draft.lacks_uuid(devices)).filter_map(Draft::device);
    let unknown = devices.iter().enumerate().filter(|(_, device)| {
        // udev's links tell a UUID and not the type.
        let is_unknown = device.file_system.is_none() && (udev_is_silent || device.uuid.is_some());
        is_unknown && !device.is_taken && device.size.is_some_and(|size| size > 0)
    });
    let mut asked: Vec<usize> = lacking.chain(unknown.map(|(at, _)| at)).collect();
    asked.sort_unstable();
    asked.dedup();
    asked.truncate(MAX_ASKED);
    if asked.is_empty() {
        return false;
    }
    let paths: Vec<String> = asked.iter().map(|&at| devices[at].path.clone()).collect();
    // Without its cache, which tells somebody without privileges what was on a device some time ago.
    let mut arguments = vec!["-c", "/dev/null", "-o", "export"];
    arguments.extend(paths.iter().map(|path| &path[..]));
    match tool::run("blkid", &arguments, TOOL_LIMIT) {
        Ok(said) if matches!(said.code, Some(0 | BLKID_NOTHING)) => {
            devices::fill_from_blkid(devices, &said.output);
            true
        }
        Ok(said) => {
            told.fail(format!("blkid failed: {}", said.complaint));
            false
        }
        Err(e) => {
            told.tool(&e);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_probed_and_no_two_of_its_volumes_are_alike() {
        let seen = System::new().probe();
        let prints: std::collections::HashSet<_> =
            seen.volumes.iter().map(|volume| &volume.fingerprint).collect();
        assert_eq!(prints.len(), seen.volumes.len(), "{seen:?}");
        for volume in &seen.volumes {
            assert!(volume.mounts.iter().all(|mount| mount.mount_point != "/proc"), "{volume:?}");
        }
    }
}

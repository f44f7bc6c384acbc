//! `/proc/self/mountinfo`, read by its documented form (proc_pid_mountinfo(5)): what is mounted where, and which of it can
//! be reached.

use std::collections::HashMap;

/// One line of the table. Names are bytes: a folder may be called anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The mount's number, unique while it lasts.
    pub id: u64,
    /// The number of the mount it stands on.
    pub parent: u64,
    /// Device numbers, major and minor; major 0 for file systems without one block device.
    pub device: (u32, u32),
    /// Which folder of the file system is mounted: `/`, or less for bind mounts and subvolumes.
    pub root: Vec<u8>,
    /// Where it is mounted.
    pub mount_point: Vec<u8>,
    /// Options of this mount: `rw`, `noexec`.
    pub options: Vec<String>,
    /// The type: `ext4`, `fuse.sshfs`.
    pub file_system: String,
    /// What was mounted: a device, a share, or a word.
    pub source: Vec<u8>,
    /// Options of the file system.
    pub super_options: Vec<String>,
}

impl Line {
    /// Whether nothing can be written through this mount.
    pub fn is_read_only(&self) -> bool {
        let says_so = |options: &[String]| options.iter().any(|option| option == "ro");
        says_so(&self.options) || says_so(&self.super_options)
    }
}

/// Reads a table. Lines that cannot be read are left out and counted: one odd line must not hide the others.
pub fn parse(table: &[u8]) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let mut unread = 0;
    for text in table.split(|&b| b == b'\n').filter(|text| !text.is_empty()) {
        match parse_line(text) {
            Some(line) => lines.push(line),
            None => unread += 1,
        }
    }
    (lines, unread)
}

fn parse_line(text: &[u8]) -> Option<Line> {
    // A source may be empty, which leaves two blanks side by side: fields are split at each single blank.
    let mut fields = text.split(|&b| b == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    let options = list(fields.next()?);
    // Any number of optional fields (shared:1, master:2), closed by a lone hyphen.
    fields.by_ref().find(|field| *field == b"-")?;
    let file_system = String::from_utf8_lossy(&unescape(fields.next()?)).into_owned();
    let source = unescape(fields.next()?);
    let super_options = list(fields.next().unwrap_or_default());
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Line { id, parent, device, root, mount_point, options, file_system, source, super_options })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn list(field: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(field);
    text.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect()
}

/// Turns `\040` and its like into the byte. A backslash before anything but three octal digits stands for itself.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

/// For each line, whether its mount point leads to it. A mount under a later one cannot be reached, and what is asked at
/// its path would be answered by the other.
pub fn reachable(lines: &[Line]) -> Vec<bool> {
    let standing_on = standing(lines);
    (0..lines.len()).map(|at| leads_to(lines, &standing_on, &lines[at].mount_point) == Some(at)).collect()
}

/// Which mounts stand on each, by its number.
fn standing(lines: &[Line]) -> HashMap<Option<u64>, Vec<usize>> {
    let ids: HashMap<u64, usize> = lines.iter().enumerate().map(|(at, line)| (line.id, at)).collect();
    let mut standing_on: HashMap<Option<u64>, Vec<usize>> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        // The first mount names a parent outside the table, or itself.
        let parent = (line.parent != line.id && ids.contains_key(&line.parent)).then_some(line.parent);
        standing_on.entry(parent).or_default().push(at);
    }
    standing_on
}

/// The mount in which an absolute path without links lies.
pub fn of_path<'l>(lines: &'l [Line], path: &[u8]) -> Option<&'l Line> {
    leads_to(lines, &standing(lines), path).map(|at| &lines[at])
}

/// The mount that a path leads to: from the first one always on to the mount that is met soonest on the way.
fn leads_to(lines: &[Line], standing_on: &HashMap<Option<u64>, Vec<usize>>, path: &[u8]) -> Option<usize> {
    let mut here = None;
    // A table in which mounts stand on each other in a circle is not true; it must not be walked for ever either.
    for _ in 0..=lines.len() {
        let parent = here.map(|at: usize| lines[at].id);
        let next = standing_on.get(&parent).into_iter().flatten().copied();
        let next = next.filter(|&at| is_at_or_above(&lines[at].mount_point, path));
        // Of two at the same place the later one is seen.
        match next.min_by_key(|&at| (lines[at].mount_point.len(), std::cmp::Reverse(at))) {
            Some(at) => here = Some(at),
            None => return here,
        }
    }
    None
}

/// Whether a folder is the path or one of the folders above it, by whole components.
fn is_at_or_above(folder: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => rest.is_empty() || folder == b"/" || rest.starts_with(b"/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    const TABLE: &[u8] = b"\
21 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
22 21 0:20 / /proc rw,nosuid - proc proc rw
40 21 0:35 /@home /home rw,noatime shared:5 master:2 propagate_from:3 - btrfs /dev/sdb1 rw,subvol=/@home
41 21 8:17 /photos/2020 /srv/old\\040photos ro,relatime - ext4 /dev/sdc1 rw
42 21 0:50 / /mnt/nameless rw - tmpfs  rw,size=4k
";

    #[test]
    fn every_field_is_found_whatever_optional_fields_there_are() {
        let (lines, unread) = parse(TABLE);
        assert_eq!((lines.len(), unread), (5, 0));
        assert_eq!(lines[0].device, (8, 2));
        assert_eq!(lines[2].root, b"/@home");
        assert_eq!(lines[2].file_system, "btrfs");
        assert_eq!(lines[2].super_options, ["rw", "subvol=/@home"]);
        assert_eq!(lines[3].mount_point, b"/srv/old photos");
        assert_eq!(lines[3].root, b"/photos/2020");
        assert_eq!(lines[4].source, b"");
        assert_eq!(lines[4].super_options, ["rw", "size=4k"]);
    }

    #[test]
    fn a_mount_is_read_only_by_its_own_options_or_those_of_its_file_system() {
        let table = b"1 0 8:1 / /a rw - ext4 /dev/sda1 rw\n2 0 8:1 / /b ro - ext4 /dev/sda1 rw\n\
            3 0 8:2 / /c rw - ext4 /dev/sda2 ro,errors=remount-ro\n";
        let read_only: Vec<_> = parse(table).0.iter().map(Line::is_read_only).collect();
        assert_eq!(read_only, [false, true, true]);
    }

    #[test]
    fn a_line_that_is_no_line_hides_none_of_the_others() {
        let (lines, unread) =
            parse(b"nonsense\n1 2 3 4\n21 1 8:2 / / rw - ext4 /dev/sda2 rw\n1 0 8:1 / /a rw ext4 x\n");
        assert_eq!((lines.len(), unread), (1, 3));
    }

    #[test]
    fn a_mount_under_another_is_not_reachable_and_one_beside_it_is() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/a rw\n\
            2 1 8:2 / /srv rw - ext4 /dev/b rw\n\
            3 2 8:3 / /srv/deep rw - ext4 /dev/c rw\n\
            4 2 8:4 / /srv rw - ext4 /dev/d rw\n\
            5 1 8:5 / /srv2 rw - ext4 /dev/e rw\n\
            6 4 8:6 / /srv/new rw - ext4 /dev/f rw\n";
        let (lines, _) = parse(table);
        assert_eq!(reachable(&lines), [true, false, false, true, true, true]);
    }

    #[test]
    fn of_two_mounts_at_one_place_of_one_folder_the_later_is_reachable() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /srv rw - ext4 /dev/b rw\n\
            3 1 8:3 / /srv rw - ext4 /dev/c rw\n";
        assert_eq!(reachable(&parse(table).0), [true, false, true]);
    }

    #[test]
    fn a_table_whose_first_mount_is_elsewhere_or_that_runs_in_a_circle_is_survived() {
        let (lines, _) = parse(b"7 3 8:1 / /a rw - ext4 /dev/a rw\n8 3 8:2 / /a/b rw - ext4 /dev/b rw\n");
        assert_eq!(reachable(&lines), [true, false]);
        let (lines, _) = parse(b"1 2 8:1 / /a rw - ext4 /dev/a rw\n2 1 8:2 / /a rw - ext4 /dev/b rw\n");
        assert_eq!(reachable(&lines), [false, false]);
    }

    /// What the kernel does with a name before it shows it.
    fn escape(name: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for &byte in name {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' | b'#' => text.extend(format!("\\{byte:03o}").bytes()),
                _ => text.push(byte),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn any_name_survives_the_escaping(name in proptest::collection::vec(1_u8.., 1..40), optional in 0_usize..4) {
            let shown = escape(&name);
            let mut text = b"5 1 0:7 /".to_vec();
            text.extend(&shown);
            text.extend(b" /");
            text.extend(&shown);
            text.extend(b" rw ");
            text.extend(b"shared:1 ".repeat(optional));
            text.extend(b"- nfs4 ");
            text.extend(&shown);
            text.extend(b" rw\n");
            let (lines, unread) = parse(&text);
            prop_assert_eq!(unread, 0);
            prop_assert_eq!(&lines[0].mount_point[1..], &name[..]);
            prop_assert_eq!(&lines[0].root[1..], &name[..]);
            prop_assert_eq!(&lines[0].source, &name);
        }

        #[test]
        fn no_table_makes_the_parser_or_the_search_fail(table in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (lines, _) = parse(&table);
            prop_assert_eq!(reachable(&lines).len(), lines.len());
        }
    }

    #[test]
    fn a_backslash_that_begins_no_octal_number_stands_for_itself() {
        assert_eq!(unescape(b"\\04"), b"\\04");
        assert_eq!(unescape(b"\\999\\134\\040"), b"\\999\\ ");
        assert_eq!(unescape(b"\\777"), b"\\777");
        assert_eq!(String::from_utf8(unescape(b"\\303\\274")).unwrap(), "ü");
    }
}

//! Which file systems are volumes, and of what kind: the one place that says what is left out.

use serde::{Deserialize, Serialize};

/// Where a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A disk in the machine.
    Internal,
    /// A disk that hangs on USB.
    Usb,
    /// A share of another machine, or a disk that one lends.
    Network,
    /// Anything else: loop devices, optical discs, pools and folders lent by a virtual machine's host.
    Other,
}

/// What a mounted file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// No place for anybody's files, or one that is gone with the machine's memory: left out.
    Pseudo,
    /// A share of another machine.
    Network,
    /// On a block device.
    Block,
    /// A place for files that is neither.
    Other,
}

/// Types that are shares whatever their source looks like.
const NETWORK: &[&str] = &[
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.ceph",
    "fuse.curlftpfs",
    "fuse.davfs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// Types without a block device of their own that hold files for good.
const OTHER: &[&str] = &["bcachefs", "fuse.mergerfs", "fuse.zfs", "prl_fs", "vboxsf", "virtiofs", "zfs"];

/// Types on block devices that nobody keeps files in: images of programs, and what only holds other file systems.
const NO_PLACE: &[&str] = &[
    "cramfs",
    "crypto_luks",
    "ddf_raid_member",
    "drbd",
    "erofs",
    "isw_raid_member",
    "linux_raid_member",
    "lvm1_member",
    "lvm2_member",
    "mpath_member",
    "romfs",
    "squashfs",
    "swap",
    "swsuspend",
    "zfs_member",
    "bcache",
    "bitlocker",
];

/// What a mounted file system is, by its type and source. `tmpfs` says whether file systems in memory are wanted, too.
///
/// A type that is not known and whose source is no device is left out: the kernel has new pseudo file systems more often
/// than people have new disks.
pub fn class(file_system: &str, source: &str, tmpfs: bool) -> Class {
    let is = |list: &[&str]| list.contains(&file_system);
    if is(NETWORK) {
        return Class::Network;
    }
    if file_system == "tmpfs" || file_system == "ramfs" {
        return if tmpfs { Class::Other } else { Class::Pseudo };
    }
    if is_no_place(file_system) {
        return Class::Pseudo;
    }
    if is(OTHER) {
        return Class::Other;
    }
    let by_fuse = file_system == "fuse" || file_system.starts_with("fuse.");
    if by_fuse && source.contains("://") {
        return Class::Network;
    }
    // /dev/fuse is what document portals and gvfs name: not a disk.
    let has_disk = source.starts_with("/dev/") && source != "/dev/fuse";
    // A container's root, and devtmpfs, never have a disk as their source, whatever somebody called it.
    let has_none = matches!(file_system, "overlay" | "aufs" | "autofs" | "devtmpfs" | "devpts" | "hugetlbfs");
    if has_disk && !has_none { Class::Block } else { Class::Pseudo }
}

/// Whether a type on a block device is no place for files.
pub fn is_no_place(file_system: &str) -> bool {
    NO_PLACE.iter().any(|name| name.eq_ignore_ascii_case(file_system))
}

/// Whether a mount is one of the files that a container's engine puts into every container from its own disk.
pub fn is_of_container(mount_point: &[u8]) -> bool {
    matches!(mount_point, b"/etc/hosts" | b"/etc/hostname" | b"/etc/resolv.conf" | b"/run/.containerenv")
}

/// Whether several devices with one UUID are one file system and not clones.
pub fn spans_devices(file_system: &str) -> bool {
    matches!(file_system, "btrfs" | "bcachefs")
}

/// One name for types that differ by which driver or feature is in use today, so that they identify alike.
pub fn family(file_system: &str) -> &str {
    match file_system {
        "ext2" | "ext3" | "ext4" => "ext",
        "ntfs" | "ntfs3" | "ntfs-3g" => "ntfs",
        "vfat" | "msdos" | "fat" => "vfat",
        "nfs" | "nfs4" => "nfs",
        "cifs" | "smb3" | "smbfs" => "smb",
        "fuse.sshfs" => "sshfs",
        "fuse.glusterfs" => "glusterfs",
        other => other.strip_prefix("fuse.").unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_shares_are_volumes() {
        for (file_system, source) in [("ext4", "/dev/sda1"), ("fuseblk", "/dev/sdb1"), ("ext4", "/dev/loop3")]
        {
            assert_eq!(class(file_system, source, false), Class::Block, "{file_system} {source}");
        }
        for (file_system, source) in [
            ("nfs4", "nas:/srv"),
            ("cifs", "//nas/home"),
            ("fuse", "https://nas/dav"),
            ("fuse.sshfs", "a@b:c"),
        ] {
            assert_eq!(class(file_system, source, false), Class::Network, "{file_system} {source}");
        }
        assert_eq!(class("zfs", "tank/home", false), Class::Other);
    }

    #[test]
    fn what_holds_nobodys_files_is_left_out() {
        for (file_system, source) in [
            ("proc", "proc"),
            ("sysfs", "sysfs"),
            ("cgroup2", "cgroup2"),
            ("overlay", "overlay"),
            ("overlay", "/dev/sda1"),
            ("squashfs", "/dev/loop0"),
            ("autofs", "systemd-1"),
            ("fuse.portal", "portal"),
            ("fuse.lxcfs", "/dev/fuse"),
            ("anything_new", "none"),
            ("swap", "/dev/sda3"),
        ] {
            assert_eq!(class(file_system, source, false), Class::Pseudo, "{file_system} {source}");
        }
    }

    #[test]
    fn memory_is_left_out_unless_it_is_wanted() {
        assert_eq!(class("tmpfs", "tmpfs", false), Class::Pseudo);
        assert_eq!(class("tmpfs", "tmpfs", true), Class::Other);
    }

    #[test]
    fn names_of_drivers_do_not_change_a_family() {
        assert_eq!(family("ext3"), family("ext4"));
        assert_eq!(family("nfs"), family("nfs4"));
        assert_ne!(family("xfs"), family("ext4"));
        assert!(is_no_place("LVM2_member") && is_no_place("crypto_LUKS") && !is_no_place("btrfs"));
    }
}

//! What a mounted file system says of itself, through its mount. In a container that is all there is to ask: udev does not
//! speak there, and devices cannot be opened.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Getter, Opcode, ioctl, opcode};
use uuid::Uuid;

use super::tidy;

/// `FS_IOC_GETFSUUID`, Linux 6.9: ext4, btrfs, xfs and others answer.
const UUID: Opcode = opcode::read::<FsUuid>(0x15, 0);
/// `FS_IOC_GETFSLABEL`, Linux 4.18.
const LABEL: Opcode = opcode::read::<FsLabel>(0x94, 49);

/// `struct fsuuid2` of the kernel.
#[repr(C)]
struct FsUuid {
    length: u8,
    bytes: [u8; 16],
}

/// What the kernel writes a label to, with a zero at its end.
type FsLabel = [u8; 256];

/// A file system that is mounted somewhere.
pub struct Itself(OwnedFd);

impl Itself {
    /// Opens the folder where it is mounted; `None` where that cannot be done.
    pub fn at(mount_point: &str) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(mount_point, flags, Mode::empty()).ok().map(Self)
    }

    /// Its UUID as `blkid` writes it; `None` where it, or the kernel, does not tell.
    pub fn uuid(&self) -> Option<String> {
        #[expect(
            unsafe_code,
            reason = "the opcode is made from the type that the kernel fills, 17 bytes of integers"
        )]
        // SAFETY: FS_IOC_GETFSUUID writes one `struct fsuuid2`, which `FsUuid` is, and nothing else.
        let told = unsafe { ioctl(&self.0, Getter::<UUID, FsUuid>::new()) }.ok()?;
        (usize::from(told.length) == told.bytes.len()).then(|| Uuid::from_bytes(told.bytes).to_string())
    }

    /// Its label, if it has one and tells.
    pub fn label(&self) -> Option<String> {
        #[expect(unsafe_code, reason = "the opcode is made from the type that the kernel fills, 256 bytes")]
        // SAFETY: FS_IOC_GETFSLABEL writes up to FSLABEL_MAX (256) bytes, and nothing else.
        let told = unsafe { ioctl(&self.0, Getter::<LABEL, FsLabel>::new()) }.ok()?;
        let label = CStr::from_bytes_until_nul(&told).ok()?.to_string_lossy();
        tidy(&label)
    }
}

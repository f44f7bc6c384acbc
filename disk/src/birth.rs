//! When a file was made, where `statx` does not say and the file system has an attribute for it: NTFS by ntfs-3g, which
//! speaks to the kernel by a protocol that knows no such time.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// ntfs-3g(8): eight bytes, the low ones first, in steps of 100 nanoseconds since 1601.
const NTFS: &str = "system.ntfs_crtime";
/// From 1601 to 1970, in such steps.
const TO_1970: i64 = 116_444_736_000_000_000;
const NANOS: i64 = 100;

/// Of the entry of that name in a folder, or of what is open when the name is empty; nanoseconds since 1970. `None`: there
/// is no such attribute.
pub(crate) fn by_attribute(folder: BorrowedFd<'_>, name: &CStr) -> Option<i64> {
    let mut value = [0_u8; 8];
    let open = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let length = match name.to_bytes() {
        name if folder.as_raw_fd() == rustix::fs::CWD.as_raw_fd() => {
            rustix::fs::getxattr(name, NTFS, &mut value)
        }
        [] => rustix::fs::getxattr(&open, NTFS, &mut value),
        name => rustix::fs::lgetxattr([open.as_bytes(), b"/", name].concat(), NTFS, &mut value),
    };
    (length == Ok(value.len())).then(|| from_ntfs(i64::from_le_bytes(value)))
}

fn from_ntfs(steps: i64) -> i64 {
    steps.saturating_sub(TO_1970).saturating_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_ntfs_is_one_since_1970() {
        assert_eq!(from_ntfs(TO_1970), 0);
        assert_eq!(from_ntfs(133_500_000_000_000_001), 1_705_526_400_000_000_100);
    }
}

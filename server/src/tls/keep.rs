//! Files that are whole or not there, and that survive a power cut: keys and certificates.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::keys;

/// Makes the folder for its owner alone, if it is absent.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Writes a file under another name, syncs it, and gives it its name in one step. `mode`: its permissions.
///
/// # Errors
/// When it cannot be written; what was there before is then as it was.
pub fn write(folder: &Path, name: &str, text: &str, mode: u32) -> io::Result<()> {
    let mark: [u8; 8] = keys::random()?;
    let fresh = folder.join(format!("{name}.{}", hex::encode(mark)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&fresh, folder.join(name)));
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written?;
    File::open(folder)?.sync_all()
}

//! A disk for tests: an image behind a loop device.

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn tool(name: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(name).args(arguments).output().map_err(|error| format!("{name}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A disk, given back also by a test that fails.
pub struct Disk {
    device: String,
    pub at: Option<PathBuf>,
}

impl Disk {
    pub fn made(image: &Path, file_system: &str) -> Result<Self, String> {
        std::fs::File::create(image)
            .and_then(|file| file.set_len(340 << 20))
            .map_err(|error| error.to_string())?;
        let force = if file_system == "ext4" { "-F" } else { "-f" };
        tool(&format!("mkfs.{file_system}"), &["-q", force, text(image)])?;
        let device = tool("losetup", &["-f", "--show", text(image)])?;
        Ok(Self { device, at: None })
    }

    pub fn plug_in(&mut self, place: &Path) -> Result<(), String> {
        std::fs::create_dir_all(place).map_err(|error| error.to_string())?;
        tool("mount", &[&self.device, text(place)])?;
        self.at = Some(place.to_owned());
        Ok(())
    }

    /// From now on nothing can be read from it or written to it, and what was not synced is lost: as with a cable that
    /// came loose, or a power cut.
    pub fn fail(&self) -> Result<(), String> {
        let place = self.at.as_deref().ok_or("it is not mounted")?;
        tool("xfs_io", &["-x", "-c", "shutdown", text(place)]).map(drop)
    }

    /// Unmounted, which fails while anybody has something of it open.
    pub fn unmount(&mut self) -> Result<(), String> {
        let Some(place) = self.at.clone() else { return Ok(()) };
        tool("umount", &[text(&place)])?;
        self.at = None;
        Ok(())
    }

    /// Whoever has something of it open goes on for a while, as with a disk that is pulled out.
    pub fn pull_out(&mut self) {
        if let Some(place) = self.at.take() {
            tool("umount", &["-l", text(&place)]).unwrap();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(place) = self.at.take() {
            let _ = tool("umount", &["-l", text(&place)]);
        }
        let _ = tool("losetup", &["-d", &self.device]);
    }
}

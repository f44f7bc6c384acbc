//! File systems in images, mounted by loop devices, and what is mounted besides.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program of the system, and gives what it printed.
///
/// # Errors
/// What it said.
pub fn tool(name: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(name).args(arguments).output().map_err(|error| format!("{name}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test")
}

/// A disk, given back also by a test that fails.
pub struct Disk {
    device: String,
    /// Where it is plugged in.
    pub at: Option<PathBuf>,
}

impl Disk {
    /// With a new file system: `ext4`, `btrfs`, `xfs` or `ntfs`.
    ///
    /// # Errors
    /// Why that cannot be had here.
    pub fn made(image: &Path, file_system: &str) -> Result<Self, String> {
        let size = if file_system == "ntfs" { 64 } else { 340 };
        std::fs::File::create(image)
            .and_then(|file| file.set_len(size << 20))
            .map_err(|error| error.to_string())?;
        let options: &[&str] = match file_system {
            "ext4" => &["-q", "-F"],
            "ntfs" => &["-q", "-F", "-Q"],
            _ => &["-q", "-f"],
        };
        tool(&format!("mkfs.{file_system}"), &[options, &[text(image)]].concat())?;
        Self::of(image)
    }

    /// With what an image holds.
    ///
    /// # Errors
    /// Why that cannot be had here.
    pub fn of(image: &Path) -> Result<Self, String> {
        let device = tool("losetup", &["-f", "--show", text(image)])?;
        Ok(Self { device, at: None })
    }

    /// Mounts it at a place.
    ///
    /// # Errors
    /// Why it cannot be mounted here.
    pub fn plug_in(&mut self, place: &Path) -> Result<(), String> {
        self.plug_in_as(place, &[])
    }

    /// As [`Disk::plug_in`], with what `mount` is told besides.
    ///
    /// # Errors
    /// Why it cannot be mounted here.
    pub fn plug_in_as(&mut self, place: &Path, options: &[&str]) -> Result<(), String> {
        std::fs::create_dir_all(place).map_err(|error| error.to_string())?;
        tool("mount", &[options, &[&self.device, text(place)]].concat())?;
        self.at = Some(place.to_owned());
        Ok(())
    }

    /// From now on nothing can be read from it or written to it, and what was not synced is lost: as with a cable that
    /// came loose, or a power cut.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub fn fail(&self) -> Result<(), String> {
        let place = self.at.as_deref().ok_or("it is not mounted")?;
        tool("xfs_io", &["-x", "-c", "shutdown", text(place)]).map(drop)
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// While anybody has something of it open.
    pub fn unmount(&mut self) -> Result<(), String> {
        let Some(place) = self.at.clone() else { return Ok(()) };
        tool("umount", &[text(&place)])?;
        self.at = None;
        Ok(())
    }

    /// Whoever has something of it open goes on for a while, as with a disk that is pulled out.
    ///
    /// # Panics
    /// When it cannot be unmounted.
    pub fn pull_out(&mut self) {
        if let Some(place) = self.at.take() {
            tool("umount", &["-l", text(&place)]).expect("it to be unmounted");
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

/// Something that is mounted over a folder until this value is gone.
pub struct Over(PathBuf);

impl Over {
    /// `options` is all that `mount` is told but the folder.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub fn mount(options: &[&str], folder: &Path) -> Result<Self, String> {
        tool("mount", &[options, &[text(folder)]].concat())?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        let _ = tool("umount", &["-l", text(&self.0)]);
    }
}

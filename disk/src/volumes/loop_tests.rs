//! A real disk that comes, is mounted, moves and goes: an image of ext4 behind a loop device.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::itself::Itself;
use super::speed::{Options, SpeedError, measure};
use super::{Difference, MountWatch, Probe as _, Snapshot, System, Volume, Woke, diff, settle};

const NAME: &str = "a_real_disk_is_followed_from_its_coming_to_its_going";
const LIMIT: Duration = Duration::from_secs(60);

/// What was attached and mounted is given back, also by a test that fails.
struct Disk {
    device: String,
    mounted: Vec<PathBuf>,
}

impl Disk {
    fn mount(&mut self, point: &Path, options: &str) -> Result<(), String> {
        fs::create_dir_all(point).unwrap();
        tool("mount", &["-o", options, &self.device, text(point)])?;
        self.mounted.push(point.to_owned());
        Ok(())
    }

    fn unmount(&mut self, point: &Path) {
        tool("umount", &[text(point)]).unwrap();
        self.mounted.retain(|other| other != point);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for point in self.mounted.drain(..).rev() {
            let _ = tool("umount", &["-l", text(&point)]);
        }
        let _ = tool("losetup", &["-d", &self.device]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn tool(name: &str, arguments: &[&str]) -> Result<String, String> {
    let done =
        Command::new(name).args(arguments).env("LC_ALL", "C").output().map_err(|e| format!("{name}: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

/// A disk of 3 GiB that takes none of them.
fn a_disk(image: &Path, uuid: &str) -> Result<Disk, String> {
    File::create(image).and_then(|file| file.set_len(3 << 30)).map_err(|e| e.to_string())?;
    tool("mkfs.ext4", &["-q", "-F", "-m", "0", "-U", uuid, "-L", "My pictures", text(image)])?;
    let device = tool("losetup", &["-f", "--show", text(image)])?;
    Ok(Disk { device, mounted: Vec::new() })
}

fn ours<'a>(snapshot: &'a Snapshot, print: &str) -> Option<&'a Volume> {
    snapshot.volumes.iter().find(|volume| volume.fingerprint == print)
}

#[test]
fn a_real_disk_is_followed_from_its_coming_to_its_going() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first place"), dir.path().join("second\\place"));
    // Another one each time: what an earlier run left behind would be its clone.
    let uuid = uuid::Uuid::new_v4().to_string();
    let print = format!("fs:ext:{uuid}");
    let probe = System::new();
    let before = probe.probe();
    let watch = MountWatch::new();
    let mounted = a_disk(&dir.path().join("image"), &uuid).and_then(|mut disk| {
        disk.mount(&first, "rw")?;
        Ok(disk)
    });
    let mut disk = match mounted {
        Ok(disk) => disk,
        Err(why) => return crate::skipped(NAME, &format!("no loop device can be mounted here ({why})")),
    };
    assert_eq!(watch.wait(LIMIT), Woke::Changed, "a mount is told");

    let seen = probe.probe();
    let volume = ours(&seen, &print).unwrap();
    assert_eq!(volume.uuid.as_deref(), Some(&uuid[..]));
    assert_eq!((&volume.name[..], volume.weak, volume.read_only), ("My pictures", false, false));
    assert_eq!((volume.mounts.len(), &volume.mounts[0].mount_point[..]), (1, text(&first)));
    assert!(volume.total_bytes.unwrap() > volume.available_bytes.unwrap());
    let itself = Itself::at(text(&first)).unwrap();
    assert_eq!(itself.label().as_deref(), Some("My pictures"), "also where nobody else may be asked");
    // Kernels before 6.9 do not tell.
    assert!(itself.uuid().is_none_or(|told| told == uuid));
    drop(itself);
    let added = Difference::Added { fingerprint: print.clone(), name: "My pictures".into() };
    assert!(diff(&before, &seen).contains(&added));

    fs::write(first.join("file"), "x").unwrap();
    let options = Options { bytes: 8 << 20, ..Options::default() };
    let speed = measure(&first, options, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((speed.written_bytes, speed.read_bytes), (8 << 20, 8 << 20));
    assert_eq!(fs::read_dir(&first).unwrap().count(), 2, "lost+found and the file, no more");

    let was_quiet = (0..100).any(|_| watch.wait(Duration::from_millis(1)) == Woke::TimedOut);
    assert!(was_quiet, "a change is told once");
    disk.unmount(&first);
    assert_eq!(watch.wait(LIMIT), Woke::Changed, "an unmount is told");
    disk.mount(&second, "ro").unwrap();
    let moved = probe.probe();
    let volume = ours(&moved, &print).unwrap();
    assert_eq!(&volume.mounts[0].mount_point[..], text(&second));
    assert!(volume.read_only && volume.mounts[0].read_only);
    let told = |is_mounted, point: &Path| Difference::MountChanged {
        fingerprint: print.clone(),
        is_mounted,
        mount_point: text(point).into(),
    };
    let differences = diff(&seen, &moved);
    assert!(differences.contains(&told(false, &first)) && differences.contains(&told(true, &second)));
    let refused = measure(&second, options, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(SpeedError::ReadOnly)), "{refused:?}");

    disk.unmount(&second);
    let idle = probe.probe();
    assert!(!ours(&idle, &print).unwrap().is_mounted());
    let known = settle(&moved, idle);
    drop(disk);
    let gone = probe.probe();
    assert_eq!(ours(&gone, &print), None);
    let removed = Difference::Removed { fingerprint: print.clone(), name: "My pictures".into() };
    assert!(diff(&known, &gone).contains(&removed));
}

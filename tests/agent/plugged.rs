//! Disks that are plugged into a laptop while its agent runs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{block_on, eventually, skip};

use crate::laptop::{Laptop, a_server};

const NAME: &str = "a_running_agent_tells_the_server_of_a_disk_that_is_plugged_in_and_pulled_out";

fn tool(name: &str, arguments: &[&str]) -> Result<(), String> {
    let done = Command::new(name).args(arguments).output().map_err(|error| format!("{name}: {error}"))?;
    let why = || format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim());
    done.status.success().then_some(()).ok_or_else(why)
}

/// A disk that carries the signature of a drive, not mounted.
fn a_signed_disk(image: &Path, place: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    std::fs::File::create(image).and_then(|file| file.set_len(16 << 20)).map_err(failed)?;
    tool("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()])?;
    std::fs::create_dir_all(place).map_err(failed)?;
    tool("mount", &["-o", "loop", image.to_str().unwrap(), place.to_str().unwrap()])?;
    std::fs::create_dir(place.join(".holdfast")).map_err(failed)?;
    let signature = json!({"format_version": 1, "drive_id": uuid::Uuid::new_v4(), "name": "Travel disk",
        "created_at": "2026-01-01T00:00:00Z"});
    std::fs::write(place.join(".holdfast/drive.json"), signature.to_string()).map_err(failed)?;
    tool("umount", &[place.to_str().unwrap()])
}

#[test]
fn a_running_agent_tells_the_server_of_a_disk_that_is_plugged_in_and_pulled_out() {
    let folder = tempfile::tempdir().unwrap();
    let (image, place) = (folder.path().join("image"), folder.path().canonicalize().unwrap().join("travel"));
    if let Err(why) = a_signed_disk(&image, &place) {
        return skip(NAME, &why);
    }
    block_on(async {
        let server = a_server().await;
        let admin = server.admin().await;
        let mut laptop = Laptop::with_folder(&server, "one");
        laptop.start();
        let told = async || -> Option<Value> {
            let drives = admin.get("/api/drives?include=mounts").await.expect(200);
            let drives = drives["items"].as_array().unwrap();
            let ours = drives.iter().find(|drive| drive["name"] == "Travel disk")?;
            Some(ours["client_mounts"][0].clone())
        };
        let mounted = tool("mount", &["-o", "loop", image.to_str().unwrap(), place.to_str().unwrap()]);
        let seen = eventually("the disk to be known", async || {
            told().await.filter(|mount| mount["is_available"] == true)
        });
        let seen = match mounted {
            Ok(()) => seen.await,
            Err(why) => return skip(NAME, &why),
        };
        tool("umount", &[place.to_str().unwrap()]).unwrap();
        assert_eq!(seen["mount_point"], place.to_str().unwrap());
        eventually("it to be gone", async || told().await.filter(|mount| mount["is_available"] == false))
            .await;
        assert!(laptop.stop().success(), "{}", laptop.log());
    });
}

//! Disks that fail in the middle of work: from one moment to the next nothing can be read from them or written to them, and what
//! was not synced is lost. `xfs_io -c shutdown` does that to ext4 and xfs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use support::{Client, Disk, Engine, Server, block_on, eventually, skip, tool};

use super::disks::{events, state};

/// Rounds on each disk in every run of the tests, and in a long one.
const SHORT: usize = 2;
const LONG: usize = 100;

/// Writes and reads on a drive until told to stop, whatever it answers; which files were promised.
async fn work(client: Client, drive: String, round: String, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut promised = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{round}-{number}.txt");
        let at = format!("/api/drives/{drive}/files/{name}");
        let answer = client.put(&at, name.repeat(1_000)).await;
        match answer.status {
            201 => promised.push(name.clone()),
            // Said plainly, and not as somebody's mistake.
            status => assert!(matches!(status, 503 | 507), "{status} {}", answer.text()),
        }
        let read = client.get(&at).await;
        match read.status {
            200 => assert_eq!(read.text(), name.repeat(1_000)),
            404 => assert!(promised.last() != Some(&name), "{name} was promised"),
            status => assert_eq!(status, 503, "{}", read.text()),
        }
    }
    promised
}

#[test]
fn a_disk_that_fails_in_the_middle_of_work_comes_back_with_all_that_was_promised() {
    let name = "a_disk_that_fails_in_the_middle_of_work_comes_back_with_all_that_was_promised";
    if let Err(why) = tool("xfs_io", &["-V"]) {
        return skip(name, &why);
    }
    let folder = tempfile::tempdir().unwrap();
    let made: Result<Vec<Disk>, String> = ["ext4", "xfs"]
        .iter()
        .map(|file_system| {
            let mut disk = Disk::made(&folder.path().join(format!("{file_system}.img")), file_system)?;
            disk.plug_in(&folder.path().join(file_system)).map(|()| disk)
        })
        .collect();
    match made {
        Ok(disks) => block_on(rounds(disks)),
        Err(why) => skip(name, &why),
    }
}

async fn rounds(mut disks: Vec<Disk>) {
    let count = if std::env::var_os("HOLDFAST_LONG").is_some() { LONG } else { SHORT };
    let server = Server::builder(Engine::Sqlite).env("HOLDFAST_VOLUMES_SOURCE", "system").start().await;
    let admin = server.admin().await;
    for (number, disk) in disks.iter_mut().enumerate() {
        let root = disk.at.clone().unwrap();
        let body = json!({"name": format!("disk {number}"), "kind": "usb", "root": root});
        let made = admin.post("/api/drives", body).await.expect(201);
        let drive = made["id"].as_str().unwrap().to_owned();
        let mut promised = Vec::new();
        for round in 0..count {
            promised.extend(fails(&admin, disk, &drive, &root, format!("{number}-{round}")).await);
        }
        for name in &promised {
            let read = admin.get(&format!("/api/drives/{drive}/files/{name}")).await;
            assert_eq!(read.status, 200, "{name} was promised: {}", read.text());
            assert!(read.text() == name.repeat(1_000), "{name} is not what was promised");
            assert_eq!(std::fs::read_to_string(root.join(name)).unwrap(), name.repeat(1_000), "on the disk");
        }
        let told = events(&admin, &drive).await;
        assert!(!told.iter().any(|kind| kind.ends_with("-deleted")), "{told:?}");
        eprintln!("{count} rounds, {} files", promised.len());
    }
}

async fn fails(admin: &Client, disk: &mut Disk, drive: &str, root: &Path, round: String) -> Vec<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let first = format!("/api/drives/{drive}/files/{round}-20.txt");
    let working = tokio::spawn(work(admin.clone(), drive.to_owned(), round, Arc::clone(&stop)));
    eventually("some work to be done", async || (admin.get(&first).await.status == 200).then_some(())).await;
    disk.fail().unwrap();
    eventually("the drive to be offline", async || (state(admin, drive).await == "offline").then_some(()))
        .await;
    stop.store(true, Ordering::Relaxed);
    let promised = working.await.unwrap();
    admin.get(&first).await.expect_problem_named(503, "drive-offline");
    // Whoever mends it has to unmount it first: the server holds on to nothing.
    eventually("the disk to be let go of", || std::future::ready(disk.unmount().ok())).await;
    disk.plug_in(root).unwrap();
    eventually("the drive to be back", async || (state(admin, drive).await == "online").then_some(())).await;
    promised
}

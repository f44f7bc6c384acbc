//! Real disks: images of ext4, btrfs and xfs that are plugged in, pulled out in the middle of work, plugged in elsewhere, and
//! exchanged for a stranger's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Client, Disk, Engine, Server, block_on, eventually, skip};

/// Rounds in every run of the tests, and in a long one.
const SHORT: usize = 20;
const LONG: usize = 1_000;
const NAME: &str = "disks_that_are_pulled_out_in_the_middle_of_work_come_back_with_all_that_was_promised";

/// Writes and reads on a drive until told to stop; which files were promised.
async fn work(client: Client, drive: String, round: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut promised = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{round}-{number}.txt");
        let at = format!("/api/drives/{drive}/files/{name}");
        let answer = client.put(&at, name.clone()).await;
        match answer.status {
            201 => promised.push(name),
            503 => break,
            _ => drop(answer.expect(201)),
        }
        let read = client.get(&at).await;
        assert!(
            read.status == 503 || read.text() == format!("{round}-{number}.txt"),
            "{} {}",
            read.status,
            read.text()
        );
        client.get(&format!("/api/drives/{drive}/tree/")).await;
    }
    promised
}

pub async fn state(client: &Client, drive: &str) -> Value {
    client.get(&format!("/api/drives/{drive}")).await.expect(200)["state"].clone()
}

/// In the order they were logged.
pub async fn events(client: &Client, drive: &str) -> Vec<String> {
    let (mut kinds, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = client.get(&format!("/api/events?limit=1000&cursor={cursor}")).await.expect(200);
        let items = page["items"].as_array().unwrap();
        let about = items.iter().filter(|event| event["drive"]["id"] == drive || event["drive_id"] == drive);
        kinds.extend(about.map(|event| event["kind"].as_str().unwrap().to_owned()));
        if items.is_empty() {
            return kinds;
        }
        page["next"].as_str().unwrap().clone_into(&mut cursor);
    }
}

#[test]
fn disks_that_are_pulled_out_in_the_middle_of_work_come_back_with_all_that_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let disks: Result<Vec<Disk>, String> = ["ext4", "btrfs", "xfs", "ext4"]
        .iter()
        .enumerate()
        .map(|(number, file_system)| {
            let mut disk = Disk::made(&folder.path().join(format!("{number}.img")), file_system)?;
            let place =
                folder.path().canonicalize().map_err(|error| error.to_string())?.join(format!("{number}-a"));
            disk.plug_in(&place).map(|()| disk)
        })
        .collect();
    match disks {
        Ok(disks) => block_on(rounds(folder.path(), disks)),
        Err(why) => skip(NAME, &why),
    }
}

async fn rounds(folder: &Path, mut disks: Vec<Disk>) {
    let folder = folder.canonicalize().unwrap();
    let count = if std::env::var_os("HOLDFAST_LONG").is_some() { LONG } else { SHORT };
    let server = Server::builder(Engine::Sqlite).env("HOLDFAST_VOLUMES_SOURCE", "system").start().await;
    let admin = server.admin().await;
    let mut stranger = disks.pop().unwrap();
    stranger.pull_out();
    let mut drives = Vec::new();
    for (number, disk) in disks.iter().enumerate() {
        let root = disk.at.clone().unwrap();
        let body = json!({"name": format!("disk {number}"), "kind": "usb", "root": root});
        let made = admin.post("/api/drives", body).await.expect(201);
        drives.push(made["id"].as_str().unwrap().to_owned());
    }
    let mut promised: Vec<Vec<String>> = vec![Vec::new(); drives.len()];
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    for round in 0..count {
        let number = round % drives.len();
        let (drive, disk) = (drives[number].clone(), &mut disks[number]);
        let stop = Arc::new(AtomicBool::new(false));
        let working = tokio::spawn(work(admin.clone(), drive.clone(), round, Arc::clone(&stop)));
        let first = format!("/api/drives/{drive}/files/{round}-2.txt");
        let some = async || (admin.get(&first).await.status == 200).then_some(());
        eventually("some work to be done", some).await;
        let old = disk.at.clone().unwrap();
        let since = Instant::now();
        disk.pull_out();
        let is_exchanged = round % 2 == 1;
        if is_exchanged {
            stranger.plug_in(&old).unwrap();
        }
        eventually("the drive to be offline", async || {
            (state(&admin, &drive).await == "offline").then_some(())
        })
        .await;
        gone.push(since.elapsed());
        stop.store(true, Ordering::Relaxed);
        promised[number].extend(working.await.unwrap());
        let at = format!("/api/drives/{drive}/files/late.txt");
        admin.put(&at, "late").await.expect_problem_named(503, "drive-offline");
        admin.delete(&at).await.expect_problem(503);
        let theirs: Vec<_> =
            std::fs::read_dir(&old).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(
            theirs.iter().all(|name| name == "lost+found"),
            "{theirs:?} was written where the disk is not"
        );
        let place =
            folder.join(format!("{number}-{}", if old.ends_with(format!("{number}-a")) { "b" } else { "a" }));
        let since = Instant::now();
        disk.plug_in(&place).unwrap();
        eventually("the drive to be back", async || (state(&admin, &drive).await == "online").then_some(()))
            .await;
        back.push(since.elapsed());
        stranger.pull_out();
    }
    for (drive, promised) in drives.iter().zip(&promised) {
        for name in promised {
            let read = admin.get(&format!("/api/drives/{drive}/files/{name}")).await;
            assert_eq!((read.status, read.text()), (200, name.clone()));
        }
        let told = events(&admin, drive).await;
        let count = |kind: &str| told.iter().filter(|one| *one == kind).count();
        assert_eq!(count("file-deleted") + count("folder-deleted"), 0);
        assert_eq!(count("drive-offline"), count("drive-online"), "{told:?}");
        assert!(count("drive-found-elsewhere") >= count("drive-online").min(1));
        let changes = admin.get(&format!("/api/drives/{drive}/changes?limit=5000")).await.text();
        assert!(
            !changes.contains("\"dead\"") && !changes.contains("\"missing\""),
            "something counts as gone"
        );
    }
    let middle = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() - 1])
    };
    let files: usize = promised.iter().map(Vec::len).sum();
    eprintln!(
        "{count} rounds, {files} files; offline and back after (median, longest) {:?}, {:?}",
        middle(&mut gone),
        middle(&mut back)
    );
}

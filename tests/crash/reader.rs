//! Looks at what is on disk without asking the server, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, Row};
use support::{Client, Server, eventually};

use crate::load::{Files, sha256};

/// What the server lists: files with their hashes, and folders.
async fn listed(client: &Client) -> (Files, BTreeSet<String>) {
    let (mut files, mut folders) = (Files::new(), BTreeSet::new());
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("/api/drives/home/tree/?recursive=true&limit=1000{cursor}"))
            .await
            .expect(200);
        for entry in page["entries"].as_array().unwrap() {
            let path = entry["path"].as_str().unwrap().trim_start_matches('/').to_owned();
            match entry["hash"].as_str() {
                Some(hash) => drop(files.insert(path, hash.to_owned())),
                None => drop(folders.insert(path)),
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (files, folders),
        }
    }
}

/// What lies in the plain folder, but for the reserved one.
fn on_disk(root: &Path) -> (Files, BTreeSet<String>) {
    let (mut files, mut folders) = (Files::new(), BTreeSet::new());
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name == ".holdfast" {
                continue;
            }
            if path.is_dir() {
                folders.insert(name);
                left.push(path);
            } else {
                files.insert(name, sha256(&std::fs::read(&path).unwrap()));
            }
        }
    }
    (files, folders)
}

/// The plain folder is what the server lists, every file whole, once placements have drained. Returns the files.
pub async fn tree_and_folder_agree(client: &Client, root: &Path) -> Files {
    let mut last = BTreeMap::new();
    for _ in 0..600 {
        let (said, there) = (listed(client).await, on_disk(root));
        if said == there {
            return said.0;
        }
        last = differences(&said.0, &there.0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server lists (left) what is not on disk (right): {last:#?}");
}

fn differences(said: &Files, there: &Files) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let paths: BTreeSet<&String> = said.keys().chain(there.keys()).collect();
    paths
        .into_iter()
        .filter(|path| said.get(*path) != there.get(*path))
        .map(|path| (path.clone(), (said.get(path).cloned(), there.get(path).cloned())))
        .collect()
}

/// Every slot belongs to something the catalogue names, once all that was displaced has been judged.
pub async fn nothing_is_left_in_staging(server: &Server, root: &Path) {
    let url = server.catalogue_url();
    eventually("all placements to be judged", || async {
        slots_named(&url, "SELECT uuid FROM ops").await.is_empty().then_some(())
    })
    .await;
    let known = slots_named(
        &url,
        "SELECT slot AS uuid FROM file_versions WHERE slot IS NOT NULL UNION SELECT slot FROM nodes WHERE slot IS NOT NULL",
    )
    .await;
    let mut stray = Vec::new();
    for bucket in std::fs::read_dir(root.join(".holdfast/versions")).unwrap() {
        let bucket = bucket.unwrap().path();
        if bucket.is_dir() {
            for slot in std::fs::read_dir(bucket).unwrap() {
                let name = slot.unwrap().file_name().into_string().unwrap();
                if !known.contains(&name) {
                    stray.push(name);
                }
            }
        }
    }
    assert!(stray.is_empty(), "slots that nothing names: {stray:?}");
}

async fn slots_named(url: &str, sql: &'static str) -> BTreeSet<String> {
    let ids: Vec<uuid::Uuid> = if url.starts_with("sqlite:") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    ids.iter().map(ToString::to_string).collect()
}

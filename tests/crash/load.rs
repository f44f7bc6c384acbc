//! A mixed load whose workers know what the server has acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Client, Server};

/// Files by path without a leading slash, with the hash of their content.
pub type Files = BTreeMap<String, String>;

/// Lower-case hex SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// All workers of a campaign.
pub struct Load {
    pub workers: Vec<Worker>,
    pub root: PathBuf,
    acknowledged: usize,
}

impl Load {
    pub async fn new(client: &Client, server: &Server, seed: u64) -> Self {
        let user = client.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let mut workers = Vec::new();
        for number in 0..6 {
            let device = format!("crash-{number}");
            let body = json!({"device_id": device, "device_name": device});
            client.post("/api/sync/register", body).await.expect(200);
            workers.push(Worker::new(number, device, seed * 100 + number));
        }
        Self { workers, root: server.home_root(&user), acknowledged: 0 }
    }

    /// Compares what is there with what was acknowledged.
    pub async fn check(&mut self, client: &Client, tree: &Files) {
        for worker in &mut self.workers {
            self.acknowledged += worker.check(client, tree).await;
        }
    }

    /// For the record: an empty load proves nothing.
    pub fn report(&self, kills: usize) {
        eprintln!("{kills} kills, {} acknowledged contents checked", self.acknowledged);
        assert!(self.acknowledged > kills, "the load hardly did anything");
    }
}

/// One client that works in a folder of its own and, with the others, on shared files.
pub struct Worker {
    folder: String,
    device: String,
    rng: StdRng,
    /// What its folder holds.
    files: Files,
    /// What it would hold had the request without an answer been done.
    doubt: Option<Files>,
    /// Acknowledged contents not yet checked: path as it was, hash.
    fresh: Vec<(String, String)>,
    /// Some that were checked before.
    old: Vec<(String, String)>,
}

/// How a request ended.
enum End {
    Done(u16, Vec<u8>),
    /// No answer, or the server's own trouble: it may have been done.
    Unknown,
}

impl Worker {
    fn new(number: u64, device: String, seed: u64) -> Self {
        Self {
            folder: format!("w{number}"),
            device,
            rng: StdRng::seed_from_u64(seed),
            files: Files::new(),
            doubt: None,
            fresh: Vec::new(),
            old: Vec::new(),
        }
    }

    /// Works until the server is gone.
    pub async fn run(&mut self, client: &Client) {
        while self.doubt.is_none() {
            let goes_on = match self.rng.random_range(0..100) {
                0..40 => self.put(client).await,
                40..50 => self.batch(client).await,
                50..62 => self.delete(client).await,
                62..76 => self.move_file(client).await,
                76..82 => self.move_folder(client).await,
                82..92 => self.shared(client, false).await,
                _ => self.shared(client, true).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn name(&mut self) -> String {
        let folder = ["a", "b", "c/d"][self.rng.random_range(0..3)];
        format!("{}/{folder}/{}.bin", self.folder, self.rng.random_range(0..6))
    }

    fn content(&mut self) -> Vec<u8> {
        let size = match self.rng.random_range(0..20) {
            0 => 0,
            1 => 400_000,
            2..5 => 20_000,
            _ => 600,
        };
        let mut bytes = vec![0; size];
        self.rng.fill(bytes.as_mut_slice());
        bytes
    }

    /// An answer the server gave is the truth; anything else leaves `after` in doubt.
    fn settle(&mut self, end: &End, done: &[u16], after: Files) -> bool {
        match end {
            End::Done(status, _) if done.contains(status) => self.files = after,
            End::Done(..) => {}
            End::Unknown => {
                self.doubt = Some(after);
                return false;
            }
        }
        true
    }

    async fn put(&mut self, client: &Client) -> bool {
        let (path, bytes) = (self.name(), self.content());
        let hash = sha256(&bytes);
        let mut after = self.files.clone();
        after.insert(path.clone(), hash.clone());
        let request =
            client.request(Method::PUT, &format!("/api/drives/home/files/{path}?parents=true")).body(bytes);
        let end = send(client, request).await;
        if let End::Done(200 | 201, _) = end {
            self.fresh.push((path, hash));
        } else if let End::Done(status, body) = &end {
            panic!("PUT answered {status}: {}", String::from_utf8_lossy(body));
        }
        self.settle(&end, &[200, 201], after)
    }

    async fn delete(&mut self, client: &Client) -> bool {
        let path = self.name();
        let mut after = self.files.clone();
        let known = after.remove(&path).is_some();
        let request = client.request(Method::DELETE, &format!("/api/drives/home/files/{path}"));
        let end = send(client, request).await;
        if let End::Done(status, _) = &end {
            assert_eq!(*status, if known { 204 } else { 404 }, "DELETE {path}");
        }
        self.settle(&end, &[204], after)
    }

    async fn move_file(&mut self, client: &Client) -> bool {
        let (from, to) = (self.name(), self.name());
        let mut after = self.files.clone();
        match after.remove(&from) {
            Some(hash) if from != to => drop(after.insert(to.clone(), hash)),
            _ => return true,
        }
        let body = json!({"from": from, "to": to, "overwrite": true, "parents": true});
        let end = send(client, client.request(Method::POST, "/api/drives/home/moves").json(&body)).await;
        if let End::Done(status, answer) = &end {
            assert!(
                matches!(status, 200 | 201),
                "move answered {status}: {}",
                String::from_utf8_lossy(answer)
            );
        }
        self.settle(&end, &[200, 201], after)
    }

    /// Some acts in one request: all of them were done, or none.
    async fn batch(&mut self, client: &Client) -> bool {
        let (mut after, mut body, mut wanted, mut written) =
            (self.files.clone(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rng.random_range(1..8) {
            let (path, to) = (self.name(), self.name());
            match self.rng.random_range(0..4) {
                0 => {
                    wanted.push(if after.remove(&path).is_some() { 204 } else { 404 });
                    body.extend(format!("{}\n", json!({"act": "delete", "path": path})).into_bytes());
                }
                1 => match after.remove(&path) {
                    Some(hash) if path != to => {
                        let act = json!({"act": "move", "from": path, "to": to, "overwrite": true, "parents": true});
                        wanted.push(if after.insert(to, hash).is_some() { 200 } else { 201 });
                        body.extend(format!("{act}\n").into_bytes());
                    }
                    Some(hash) => drop(after.insert(path, hash)),
                    None => {}
                },
                _ => {
                    let bytes = self.content();
                    let hash = sha256(&bytes);
                    let act = json!({"act": "put", "path": path, "size": bytes.len(), "hash": hash, "parents": true});
                    wanted.push(if after.insert(path.clone(), hash.clone()).is_some() { 200 } else { 201 });
                    body.extend(format!("{act}\n").into_bytes());
                    body.extend(bytes);
                    written.push((path, hash));
                }
            }
        }
        let request = client.request(Method::POST, "/api/drives/home/batch").body(body);
        let end = send(client, request.header("content-type", "application/x-holdfast-batch")).await;
        let end = match end {
            End::Done(200, body) => {
                let status =
                    |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].as_u64();
                let text = String::from_utf8_lossy(&body).into_owned();
                let told: Vec<u64> = text.lines().filter_map(status).collect();
                if told.iter().any(|status| *status >= 500) {
                    End::Unknown
                } else {
                    assert_eq!(told, wanted, "{text}");
                    self.fresh.extend(written);
                    End::Done(200, body)
                }
            }
            End::Done(status, body) => {
                panic!("a batch answered {status}: {}", String::from_utf8_lossy(&body))
            }
            End::Unknown => End::Unknown,
        };
        self.settle(&end, &[200], after)
    }

    /// The folder `a` changes places with a name that is free, and back: one change whatever is in it.
    async fn move_folder(&mut self, client: &Client) -> bool {
        let (here, there) = (format!("{}/a", self.folder), format!("{}/moved", self.folder));
        let at =
            |folder: &str, files: &Files| files.keys().any(|path| path.starts_with(&format!("{folder}/")));
        let (from, to) = if at(&there, &self.files) { (there, here) } else { (here, there) };
        if !at(&from, &self.files) || at(&to, &self.files) {
            return true;
        }
        let after = self
            .files
            .iter()
            .map(|(path, hash)| match path.strip_prefix(&format!("{from}/")) {
                Some(rest) => (format!("{to}/{rest}"), hash.clone()),
                None => (path.clone(), hash.clone()),
            })
            .collect();
        let body = json!({"from": from, "to": to, "overwrite": true});
        let end = send(client, client.request(Method::POST, "/api/drives/home/moves").json(&body)).await;
        if let End::Done(status, answer) = &end {
            assert!(
                matches!(status, 200 | 201),
                "move answered {status}: {}",
                String::from_utf8_lossy(answer)
            );
        }
        self.settle(&end, &[200, 201], after)
    }

    /// A write to a file that others write too, on the condition of what is there; as a device, one that fails opens
    /// a conflict which keeps the bytes.
    async fn shared(&mut self, client: &Client, as_device: bool) -> bool {
        let path = format!("shared/{}.bin", self.rng.random_range(0..3));
        let client = if as_device { client.on_device(&self.device) } else { client.clone() };
        let address = format!("/api/drives/home/files/{path}?parents=true");
        let seen = match client.try_send(client.request(Method::HEAD, &address)).await {
            Ok(answer) => answer.header("etag").map(str::to_owned),
            Err(_) => return false,
        };
        let bytes = self.content();
        let hash = sha256(&bytes);
        let stale = as_device && self.rng.random_bool(0.5);
        let request = client.request(Method::PUT, &address).body(bytes);
        let request = match seen {
            _ if stale => request.header("If-Match", format!("\"{}\"", sha256(b"never there"))),
            Some(etag) => request.header("If-Match", etag),
            None => request.header("If-None-Match", "*"),
        };
        match send(&client, request).await {
            End::Done(200 | 201, _) => self.fresh.push((path, hash)),
            End::Done(412, body) => {
                if String::from_utf8_lossy(&body).contains("\"conflict\"") {
                    self.fresh.push((path, hash));
                }
            }
            End::Done(status, body) => {
                panic!("PUT {path} answered {status}: {}", String::from_utf8_lossy(&body))
            }
            End::Unknown => return false,
        }
        true
    }

    async fn check(&mut self, client: &Client, tree: &Files) -> usize {
        let prefix = format!("{}/", self.folder);
        let there: Files = tree
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(p, h)| (p.clone(), h.clone()))
            .collect();
        let possible = self.doubt.take();
        assert!(
            there == self.files || possible.as_ref() == Some(&there),
            "{} holds {there:#?}\nacknowledged was {:#?}\nin doubt {possible:#?}",
            self.folder,
            self.files
        );
        self.files = there;
        let mut due = std::mem::take(&mut self.fresh);
        let checked = due.len();
        for _ in 0..self.old.len().min(3) {
            due.push(self.old[self.rng.random_range(0..self.old.len())].clone());
        }
        let paths: BTreeSet<&String> = due.iter().map(|(path, _)| path).collect();
        for path in paths {
            let wanted: BTreeSet<&String> =
                due.iter().filter(|(p, _)| p == path).map(|(_, hash)| hash).collect();
            kept(client, path, &wanted).await;
        }
        self.old.extend(due.into_iter().take(checked));
        checked
    }
}

async fn send(client: &Client, request: reqwest::RequestBuilder) -> End {
    match client.try_send(request).await {
        // The server's own trouble while it is being killed is no answer either.
        Ok(answer) if answer.status >= 500 => End::Unknown,
        Ok(answer) => End::Done(answer.status, answer.bytes),
        Err(_) => End::Unknown,
    }
}

/// Every wanted content is in the path's history or in a conflict about it, with the bytes that its hash names.
async fn kept(client: &Client, path: &str, wanted: &BTreeSet<&String>) {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/sync/history/{path}?limit=500{cursor}")).await.expect(200);
        for version in page["versions"].as_array().unwrap() {
            let id = version["id"].as_str().unwrap();
            found.insert(
                version["hash"].as_str().unwrap().to_owned(),
                format!("/api/drives/home/versions/{id}/content"),
            );
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all_there = wanted.iter().all(|hash| found.contains_key(*hash));
    if !all_there {
        let mut cursor = String::new();
        loop {
            let page = client.get(&format!("/api/conflicts?state=all&limit=500{cursor}")).await.expect(200);
            for conflict in page["conflicts"].as_array().unwrap() {
                let id = conflict["id"].as_str().unwrap();
                let hash = conflict["client_hash"].as_str().unwrap().to_owned();
                found.entry(hash).or_insert(format!("/api/conflicts/{id}/candidate"));
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    for hash in wanted {
        let Some(address) = found.get(*hash) else {
            panic!("{hash} was acknowledged at {path} and is nowhere; its history: {:#?}", found.keys());
        };
        let answer = client.get(address).await;
        assert_eq!(answer.status, 200, "{hash} of {path}: {}", answer.text());
        assert_eq!(&&sha256(&answer.bytes), hash, "{path} at {address}");
    }
}

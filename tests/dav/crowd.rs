//! Sixty-four clients at once on one drive, over WebDAV and REST: reads, writes, moves, copies, locks and listings. Each
//! has a folder of its own, of which it knows to the byte what it was told is there, and all of them work on one shared
//! folder, where whatever is read must be whole and something that somebody sent. Nobody waits for ever, nothing is
//! answered with a 5xx, and the server's memory is after the load what it was in it.
//!
//! Seen to fail with: a write that is acknowledged and not done, a body with one bit turned, a 500 in a thousand answers,
//! one answer in 1,500 that takes longer than anybody waits, 60 kB a request that are not given back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::{Answer, Client, Server, both_engines, home_of, plain};
use tokio::task::JoinSet;

use crate::mount::LOCK;

const CLIENTS: usize = 64;
const LOAD: Duration = Duration::from_secs(40);
const LONG_LOAD: Duration = Duration::from_secs(600);
/// Who waits so long for one answer has been forgotten; no measure of speed.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// KiB that the peak in the last third of the load may be above that of the first: room for noise, not for a leak.
const GROWTH: u64 = 64 * 1024;
const SHARED: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What the clients tell each other and the test.
#[derive(Default)]
struct Notes {
    /// Hashes of every content that was sent to a place where others read.
    sent: Mutex<BTreeSet<String>>,
    /// By what was done: how often, and the longest wait.
    waits: Mutex<BTreeMap<&'static str, (usize, Duration)>>,
}

impl Notes {
    fn waited(&self, what: &'static str, wait: Duration) {
        let mut waits = self.waits.lock().unwrap();
        let (count, longest) = waits.entry(what).or_default();
        *count += 1;
        *longest = wait.max(*longest);
    }

    fn sent(&self, hash: &str) {
        self.sent.lock().unwrap().insert(hash.to_owned());
    }
}

struct One {
    number: usize,
    client: Client,
    rng: StdRng,
    notes: Arc<Notes>,
    /// What its folder holds: hashes by path beneath the drive.
    files: BTreeMap<String, String>,
    /// The name that its folder within has at the moment.
    within: &'static str,
    done: usize,
}

impl One {
    /// A path in its folder, whether or not there is something.
    fn path(&mut self) -> String {
        let k = self.rng.random_range(0..8);
        match self.rng.random_bool(0.5) {
            true => format!("c{}/f{k}", self.number),
            false => format!("c{}/{}/f{k}", self.number, self.within),
        }
    }

    /// A file that it has.
    fn file(&mut self) -> Option<String> {
        let paths: Vec<String> = self.files.keys().cloned().collect();
        paths.choose(&mut self.rng).cloned()
    }

    fn shared(&mut self) -> String {
        format!("shared/{}", SHARED.choose(&mut self.rng).unwrap())
    }

    fn content(&mut self) -> (Vec<u8>, String) {
        let size = match self.rng.random_range(0..100) {
            0..5 => 0,
            5..75 => self.rng.random_range(1..5_000),
            75..97 => self.rng.random_range(5_000..100_000),
            _ => 1_500_000,
        };
        let mut bytes = vec![0; size];
        self.rng.fill(bytes.as_mut_slice());
        let hash = sha256(&bytes);
        (bytes, hash)
    }

    /// Asks, and stops everything when the answer is none of those that are right.
    async fn ask(
        &self,
        what: &'static str,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        right: &[u16],
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, address).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let began = Instant::now();
        let Ok(answer) = tokio::time::timeout(FORGOTTEN, self.client.send(request)).await else {
            panic!("{what} of {address} had no answer within {FORGOTTEN:?}");
        };
        self.notes.waited(what, began.elapsed());
        assert!(
            right.contains(&answer.status),
            "{what} of {address} {headers:?}: {}: {}",
            answer.status,
            answer.text()
        );
        answer
    }

    async fn dav(
        &self,
        what: &'static str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        right: &[u16],
    ) -> Answer {
        self.ask(what, method, &format!("/dav/home/{path}"), headers, body, right).await
    }

    /// What its folder was told to hold at a path, in words for messages.
    fn check(&self, path: &str, answer: &Answer) {
        match self.files.get(path) {
            Some(hash) => {
                assert_eq!(answer.status, 200, "{path} was acknowledged and is gone: {}", answer.text());
                assert_eq!(&sha256(&answer.bytes), hash, "{path} is not what was acknowledged");
                assert_eq!(answer.header("etag"), Some(&*format!("\"{hash}\"")), "{path}");
            }
            None => assert_eq!(answer.status, 404, "{path} was deleted and is there"),
        }
    }

    async fn write(&mut self) {
        let path = self.path();
        let (bytes, hash) = self.content();
        self.notes.sent(&hash);
        let status = if self.files.contains_key(&path) { 204 } else { 201 };
        let answer = self.dav("PUT", "PUT", &path, &[], bytes, &[status]).await;
        assert_eq!(answer.header("etag"), Some(&*format!("\"{hash}\"")), "{path}");
        self.files.insert(path, hash);
    }

    async fn write_over_rest(&mut self) {
        let path = self.path();
        let (bytes, hash) = self.content();
        self.notes.sent(&hash);
        let address = format!("/api/drives/home/files/{path}");
        let (condition, status) = match self.files.get(&path) {
            Some(old) => (("if-match", format!("\"{old}\"")), 200),
            None => (("if-none-match", "*".to_owned()), 201),
        };
        self.ask("REST PUT", "PUT", &address, &[(condition.0, &condition.1)], bytes, &[status]).await;
        self.files.insert(path, hash);
    }

    async fn read(&mut self) {
        let path = self.path();
        let answer = if self.rng.random_bool(0.3) {
            let address = format!("/api/drives/home/files/{path}");
            self.ask("REST GET", "GET", &address, &[], Vec::new(), &[200, 404]).await
        } else {
            self.dav("GET", "GET", &path, &[], Vec::new(), &[200, 404]).await
        };
        self.check(&path, &answer);
    }

    /// Reads what others write: whole, and something that somebody sent.
    async fn read_others(&mut self) {
        let path = match self.rng.random_bool(0.7) {
            true => self.shared(),
            false => format!("c{}/f{}", self.rng.random_range(0..CLIENTS), self.rng.random_range(0..8)),
        };
        let answer = self.dav("GET of others'", "GET", &path, &[], Vec::new(), &[200, 404]).await;
        if answer.status == 200 {
            let hash = sha256(&answer.bytes);
            assert_eq!(answer.header("etag"), Some(&*format!("\"{hash}\"")), "{path} is torn");
            assert!(self.notes.sent.lock().unwrap().contains(&hash), "{path}: nobody sent {hash}");
        }
    }

    async fn rename(&mut self, verb: &'static str) {
        let (Some(from), to) = (self.file(), self.path()) else { return };
        if from == to {
            return;
        }
        let status = if self.files.contains_key(&to) { 204 } else { 201 };
        self.dav(verb, verb, &from, &[("destination", &format!("/dav/home/{to}"))], Vec::new(), &[status])
            .await;
        let hash = match verb {
            "MOVE" => self.files.remove(&from).unwrap(),
            _ => self.files[&from].clone(),
        };
        self.files.insert(to, hash);
    }

    async fn rename_folder(&mut self) {
        let other = if self.within == "d" { "e" } else { "d" };
        let (from, to) = (format!("c{}/{}", self.number, self.within), format!("c{}/{other}", self.number));
        self.dav(
            "MOVE of a folder",
            "MOVE",
            &from,
            &[("destination", &format!("/dav/home/{to}"))],
            Vec::new(),
            &[201],
        )
        .await;
        self.within = other;
        self.files = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(path, hash)| match path.strip_prefix(&format!("{from}/")) {
                Some(name) => (format!("{to}/{name}"), hash),
                None => (path, hash),
            })
            .collect();
    }

    async fn delete(&mut self) {
        let Some(path) = self.file() else { return };
        if self.rng.random_bool(0.3) {
            let address = format!("/api/drives/home/files/{path}");
            self.ask("REST DELETE", "DELETE", &address, &[], Vec::new(), &[200, 204]).await;
        } else {
            self.dav("DELETE", "DELETE", &path, &[], Vec::new(), &[204]).await;
        }
        self.files.remove(&path);
    }

    async fn list(&mut self) {
        let folder = match self.rng.random_bool(0.5) {
            true => format!("c{}", self.number),
            false => format!("c{}/{}", self.number, self.within),
        };
        let answer = self
            .dav("PROPFIND 1", "PROPFIND", &format!("{folder}/"), &[("depth", "1")], Vec::new(), &[207])
            .await;
        let expected: BTreeMap<String, String> = self
            .files
            .iter()
            .filter(|(path, _)| path.rsplit_once('/').is_some_and(|(above, _)| above == folder))
            .map(|(path, hash)| (path.clone(), hash.clone()))
            .collect();
        assert_eq!(listed(&answer.text()), expected, "{folder} is listed as something else");
    }

    async fn look(&mut self) {
        let path = self.path();
        let right = if self.files.contains_key(&path) { 207 } else { 404 };
        let answer = self.dav("PROPFIND 0", "PROPFIND", &path, &[("depth", "0")], Vec::new(), &[right]).await;
        if right == 207 {
            assert_eq!(listed(&answer.text()).get(&path), self.files.get(&path), "{path}");
        }
    }

    async fn list_others(&mut self) {
        let folder = if self.rng.random_bool(0.8) { "shared/" } else { "" };
        self.dav("PROPFIND 1 of others'", "PROPFIND", folder, &[("depth", "1")], Vec::new(), &[207]).await;
    }

    /// Takes a lock, writes with it, is refused without it, and gives it back.
    async fn lock(&mut self, path: String, mine: bool) {
        let right: &[u16] = if mine { &[200, 201] } else { &[200, 201, 423] };
        let locked = self.dav("LOCK", "LOCK", &path, &[("timeout", "Second-600")], LOCK.into(), right).await;
        if locked.status == 423 {
            return;
        }
        let token = locked.header("lock-token").unwrap().to_owned();
        let (bytes, hash) = self.content();
        self.notes.sent(&hash);
        self.dav("PUT without the token", "PUT", &path, &[], bytes.clone(), &[423]).await;
        let held = format!("({token})");
        // The lock has made the file.
        self.dav("PUT with a token", "PUT", &path, &[("if", &held)], bytes, &[204]).await;
        if mine {
            self.files.insert(path.clone(), hash);
        }
        self.dav("UNLOCK", "UNLOCK", &path, &[("lock-token", &token)], Vec::new(), &[204]).await;
    }

    /// Changes what others change, too; somebody may have been there before or hold a lock.
    async fn change_shared(&mut self) {
        let (path, other) = (self.shared(), self.shared());
        let to = format!("/dav/home/{other}");
        match self.rng.random_range(0..10) {
            0..4 => {
                let (bytes, hash) = self.content();
                self.notes.sent(&hash);
                self.dav("PUT shared", "PUT", &path, &[], bytes, &[201, 204, 423]).await;
            }
            4 => {
                let (bytes, hash) = self.content();
                self.notes.sent(&hash);
                let address = format!("/api/drives/home/files/{path}");
                self.ask("REST PUT shared", "PUT", &address, &[], bytes, &[200, 201, 423]).await;
            }
            5 if path != other => {
                self.dav(
                    "MOVE shared",
                    "MOVE",
                    &path,
                    &[("destination", &to)],
                    Vec::new(),
                    &[201, 204, 404, 423],
                )
                .await;
            }
            6 if path != other => {
                // A file that changes at every look while it is copied is said to do so.
                self.dav(
                    "COPY shared",
                    "COPY",
                    &path,
                    &[("destination", &to)],
                    Vec::new(),
                    &[201, 204, 404, 409, 423],
                )
                .await;
            }
            7 => drop(self.dav("DELETE shared", "DELETE", &path, &[], Vec::new(), &[204, 404, 423]).await),
            8 => {
                let Some(from) = self.file() else { return };
                let moved = self
                    .dav(
                        "MOVE to shared",
                        "MOVE",
                        &from,
                        &[("destination", &to)],
                        Vec::new(),
                        &[201, 204, 423],
                    )
                    .await;
                if moved.status != 423 {
                    self.files.remove(&from);
                }
            }
            _ => self.lock(path, false).await,
        }
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..20 => self.write().await,
            20..28 => self.write_over_rest().await,
            28..44 => self.read().await,
            44..54 => self.read_others().await,
            54..60 => self.rename("MOVE").await,
            60..64 => self.rename("COPY").await,
            64..66 => self.rename_folder().await,
            66..71 => self.delete().await,
            71..76 => self.list().await,
            76..82 => self.look().await,
            82..84 => self.list_others().await,
            84..88 => {
                let path = self.path();
                self.lock(path, true).await;
            }
            _ => self.change_shared().await,
        }
        self.done += 1;
    }

    async fn until(mut self, end: Instant) -> Self {
        for folder in [format!("c{}", self.number), format!("c{}/{}", self.number, self.within)] {
            self.dav("MKCOL", "MKCOL", &folder, &[], Vec::new(), &[201]).await;
        }
        while Instant::now() < end {
            self.step().await;
        }
        self
    }

    /// Everything that it was told is there, is there.
    async fn examine(&self) {
        for path in self.files.keys() {
            let answer = self.dav("GET", "GET", path, &[], Vec::new(), &[200, 404]).await;
            self.check(path, &answer);
        }
    }
}

/// The files of a multistatus with the hashes in their entity tags, by their paths beneath the drive.
fn listed(text: &str) -> BTreeMap<String, String> {
    let between = |text: &str, before: &str, after: &str| {
        let (_, rest) = text.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    };
    let mut found = BTreeMap::new();
    for response in text.split("<D:response>").skip(1) {
        let path = between(response, "<D:href>/dav/home/", "</D:href>").unwrap();
        if let Some(tag) = between(response, "<D:getetag>", "</D:getetag>")
            && !path.ends_with('/')
        {
            found.insert(path, tag.replace("&quot;", "").trim_matches('"').to_owned());
        }
    }
    found
}

/// KiB of memory that a process has at the moment.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Looks at the memory until the load is over; the peaks of its first, second and last third.
async fn watch(pid: u32, began: Instant, load: Duration) -> [u64; 3] {
    let mut peaks = [0; 3];
    while began.elapsed() < load {
        let third = (began.elapsed().as_millis() * 3 / load.as_millis()).min(2) as usize;
        peaks[third] = resident(pid).max(peaks[third]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    peaks
}

/// The plain folder holds what every client was told, and in the shared folder what the server shows.
async fn the_disk_agrees(root: &Path, clients: &[One], client: &Client) {
    let on_disk: BTreeMap<String, String> = plain(root)
        .into_iter()
        .filter_map(|(path, bytes)| Some((path.trim_start_matches('/').to_owned(), sha256(&bytes?))))
        .collect();
    let mut expected: BTreeMap<String, String> = clients.iter().flat_map(|one| one.files.clone()).collect();
    for name in SHARED {
        let path = format!("shared/{name}");
        let answer = client.get(&format!("/dav/home/{path}")).await;
        if answer.status == 200 {
            expected.insert(path, sha256(&answer.bytes));
        }
    }
    for path in on_disk.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        assert_eq!(on_disk.get(path), expected.get(path), "{path}: on disk (left), as was told (right)");
    }
}

/// Says what happened, and that everybody had a turn; nobody waited for ever, or there would be no report.
fn report(notes: &Notes, clients: &[One], peaks: [u64; 3]) {
    for (what, (count, longest)) in &*notes.waits.lock().unwrap() {
        eprintln!("{what:24} {count:7} times, longest wait {:.2} s", longest.as_secs_f64());
    }
    let (least, most) = (
        clients.iter().map(|one| one.done).min().unwrap(),
        clients.iter().map(|one| one.done).max().unwrap(),
    );
    let sum: usize = clients.iter().map(|one| one.done).sum();
    eprintln!(
        "{sum} acts, {least} to {most} a client; peaks of memory in each third of the load: {peaks:?} KiB"
    );
    assert!(least > 0, "somebody got no turn");
    assert!(peaks[2] < peaks[0] + GROWTH, "memory grew: {peaks:?} KiB");
}

both_engines! {
    async fn sixty_four_clients_at_once_lose_nothing_and_nobody_is_forgotten(builder: Builder) {
        let seed = std::env::var("HOLDFAST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random::<u64>);
        eprintln!("seed {seed} (its decisions are repeated with HOLDFAST_SEED={seed}, their order in time is not)");
        let load = if std::env::var_os("HOLDFAST_LONG").is_some() { LONG_LOAD } else { LOAD };
        // A line for each request would be all that a failure shows.
        let server: Server = builder.env("HOLDFAST_LOG", "info").start().await;
        let admin = server.admin().await;
        let root = home_of(&server, &admin).await;
        let made = admin.post("/api/app-passwords", json!({"name": "crowd"})).await.expect(201);
        let password = made["password"].as_str().unwrap();
        let mkcol = admin.request(Method::from_bytes(b"MKCOL").unwrap(), "/dav/home/shared");
        admin.send(mkcol).await.expect(201);

        let notes = Arc::new(Notes::default());
        // What a lock makes before something is written.
        notes.sent(&sha256(b""));
        let began = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..CLIENTS {
            // Connections of its own, and half of them with a token.
            let client = match number % 2 {
                0 => server.client().basic(server.username(), password),
                _ => server.client().with_access_token(admin.access_token()),
            };
            let rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
            let one = One { number, client, rng, notes: Arc::clone(&notes), files: BTreeMap::new(), within: "d", done: 0 };
            running.spawn(one.until(began + load));
        }
        let peaks = watch(server.pid().unwrap(), began, load).await;
        let clients = running.join_all().await;
        report(&notes, &clients, peaks);
        futures_util::future::join_all(clients.iter().map(One::examine)).await;
        the_disk_agrees(&root, &clients, &admin).await;
    }
}

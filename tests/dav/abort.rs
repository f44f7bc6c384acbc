//! Uploads that break off anywhere, and a server that dies under them: the old content stays as it was, and nobody, by
//! no way of looking, ever sees a part of the new one.
//!
//! Seen to fail with: a body that ends early taken for a whole one; slots of what broke off left where they are; slots
//! not swept at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::{Client, Server, both_engines, eventually, home_of, only_slots, plain, slots};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::mount::dav;

/// In how many places uploads break off, with a length and chunked each; `HOLDFAST_LONG`: each of the eight kinds.
const POINTS: usize = 50;
/// How often the server is killed under one upload of each kind.
const KILLS: usize = 10;

fn long() -> bool {
    std::env::var_os("HOLDFAST_LONG").is_some()
}

/// `HOLDFAST_SEED`, to repeat what was seen, or a new one.
fn seed() -> u64 {
    let seed =
        std::env::var("HOLDFAST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("seed {seed} (repeat with HOLDFAST_SEED={seed})");
    seed
}

/// One kind of upload.
#[derive(Debug, Clone, Copy)]
struct Kind {
    rest: bool,
    chunked: bool,
    over: bool,
}

impl Kind {
    /// All eight.
    fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|bits| Self { rest: bits & 1 != 0, chunked: bits & 2 != 0, over: bits & 4 != 0 })
    }

    /// Those of one point: in a quick run the edges with all, the others with one that declares its length and one that
    /// is chunked, in turn.
    fn at(point: usize) -> impl Iterator<Item = Self> {
        Self::all().filter(move |kind| {
            let turn = usize::from(kind.rest) + 2 * usize::from(kind.over);
            long() || point < 2 || (point + usize::from(kind.chunked)) % 4 == turn
        })
    }

    /// A name of its own for what is written so.
    fn name(self) -> String {
        let way = if self.rest { "rest" } else { "dav" };
        let length = if self.chunked { "chunked" } else { "length" };
        let target = if self.over { "over" } else { "new" };
        format!("{way}-{length}-{target}.bin")
    }

    /// Head and body as they go over the wire.
    fn request(self, client: &Client, content: &[u8], rng: &mut StdRng) -> (String, Vec<u8>) {
        let base = if self.rest { "/api/drives/home/files" } else { "/dav/home" };
        let length = match self.chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {}", content.len()),
        };
        let head = format!(
            "PUT {base}/{} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n{length}\r\n\r\n",
            self.name(),
            client.access_token()
        );
        if !self.chunked {
            return (head, content.to_vec());
        }
        let (mut body, mut left) = (Vec::new(), content);
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(rng.random_range(1..=left.len().min(60_000)));
            body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
            left = rest;
        }
        body.extend(b"0\r\n\r\n");
        (head, body)
    }
}

/// How a client goes away.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It closes the connection.
    Closed,
    /// The connection is reset, as when a cable is pulled and the other side's packets are refused.
    Reset,
    /// It says that no more comes and waits for an answer.
    HalfClosed,
}

impl End {
    fn any(rng: &mut StdRng) -> Self {
        [Self::Closed, Self::Reset, Self::HalfClosed][rng.random_range(0..3)]
    }

    async fn of(self, mut stream: TcpStream) {
        match self {
            Self::Closed => drop(stream),
            Self::Reset => {
                stream.set_zero_linger().unwrap();
                drop(stream);
            }
            Self::HalfClosed => {
                stream.shutdown().await.unwrap();
                let mut answer = Vec::new();
                // It may answer or hang up, but it does not say that it has the file.
                let _ = stream.read_to_end(&mut answer).await;
                let answer = String::from_utf8_lossy(&answer);
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
            }
        }
    }
}

fn content(rng: &mut StdRng, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    rng.fill(bytes.as_mut_slice());
    bytes
}

/// What must be there: contents by name.
type Files = BTreeMap<String, Vec<u8>>;

/// A drive, and all the ways to look at it.
struct Drive {
    client: Client,
    root: PathBuf,
}

impl Drive {
    async fn of(server: &Server) -> Self {
        let client = server.admin().await;
        let root = home_of(server, &client).await;
        Self { client, root }
    }

    /// The files that all uploads of the kind `over` go over.
    async fn begin(&self, rng: &mut StdRng) -> Files {
        let mut files = Files::new();
        for kind in Kind::all().filter(|kind| kind.over) {
            let old = content(rng, 100_000);
            let put = self.client.put(&format!("/api/drives/home/files/{}", kind.name()), old.clone()).await;
            assert_eq!(put.status, 201, "{}", put.text());
            files.insert(kind.name(), old);
        }
        files
    }

    /// What everybody sees of one file, the same by every way of looking; nothing when it is not there.
    async fn one(&self, name: &str) -> Option<Vec<u8>> {
        let over_dav = dav(&self.client, "GET", &format!("/dav/home/{name}"), &[], "").await;
        let over_rest = self.client.get(&format!("/api/drives/home/files/{name}")).await;
        assert_eq!(over_dav.status, over_rest.status, "{name}");
        let listed = dav(&self.client, "PROPFIND", &format!("/dav/home/{name}"), &[("depth", "0")], "").await;
        let on_disk = std::fs::read(self.root.join(name)).ok();
        if over_dav.status == 404 {
            assert_eq!((listed.status, on_disk), (404, None), "{name}");
            return None;
        }
        assert_eq!((over_dav.status, listed.status), (200, 207), "{name}: {}", over_dav.text());
        let length = format!("<D:getcontentlength>{}</D:getcontentlength>", over_dav.bytes.len());
        assert!(listed.text().contains(&length), "{name} is not {length} in {}", listed.text());
        assert!(over_rest.bytes == over_dav.bytes, "{name} is another over REST");
        assert!(on_disk.as_ref() == Some(&over_dav.bytes), "{name} is another on disk");
        on_disk
    }

    /// These files and no others, by name, in both listings and in the plain folder.
    async fn holds(&self, files: &Files) {
        let listed = dav(&self.client, "PROPFIND", "/dav/home/", &[("depth", "1")], "").await.text();
        let shown = listed.matches("<D:response>").count() - 1;
        assert_eq!(shown, files.len(), "{listed}");
        assert!(files.keys().all(|name| listed.contains(&format!("/dav/home/{name}<"))), "{listed}");
        let there: Files = plain(&self.root)
            .into_iter()
            .map(|(path, bytes)| (path.trim_start_matches('/').to_owned(), bytes.unwrap_or_default()))
            .collect();
        assert_eq!(there.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
        for (name, bytes) in files {
            assert!(there.get(name) == Some(bytes), "{name} is another on disk");
        }
    }

    /// How many versions a name has had; none when it never was.
    async fn versions(&self, name: &str) -> usize {
        let history = self.client.get(&format!("/api/sync/history/{name}")).await;
        if history.status == 404 { 0 } else { history.expect(200)["versions"].as_array().unwrap().len() }
    }
}

/// Sends a head and so much of the body; the server may be gone.
async fn send(address: &str, head: &str, part: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(part).await?;
    Ok(stream)
}

/// Breaks one upload off and looks, while it is under way and afterwards.
async fn broken_off(
    server: &Server,
    drive: &Drive,
    files: &Files,
    kept: &[String],
    kind: Kind,
    point: usize,
    rng: &mut StdRng,
) {
    let size = [1, 4_000, 200_000, 1_000_000][rng.random_range(0..4)];
    let new = content(rng, size);
    let (head, body) = kind.request(&drive.client, &new, rng);
    let cut = match point {
        0 => 0,
        // Everything but the last byte: of the content, or of what ends the last chunk.
        1 => body.len() - 1,
        _ => rng.random_range(0..body.len()),
    };
    let end = End::any(rng);
    let name = kind.name();
    eprintln!("{name}: {cut} of {} bytes, {end:?}", body.len());
    let stream = send(server.address(), &head, &body[..cut]).await.unwrap();
    // Only then it is under way, and only then there is something that could be left behind.
    eventually("the upload to begin", || async { (slots(&drive.root) != kept).then_some(()) }).await;
    assert!(drive.one(&name).await.as_ref() == files.get(&name), "{name} was seen while it arrived");
    end.of(stream).await;
    only_slots(&drive.root, kept).await;
    assert!(drive.one(&name).await.as_ref() == files.get(&name), "{name} was seen after it had broken off");
}

/// One upload for a server that dies: how much of it is sent, and what it would make.
struct Doomed {
    kind: Kind,
    head: String,
    body: Vec<u8>,
    cut: usize,
    new: Vec<u8>,
}

impl Doomed {
    fn new(kind: Kind, client: &Client, rng: &mut StdRng) -> Self {
        let size = rng.random_range(1..400_000);
        let new = content(rng, size);
        let (head, body) = kind.request(client, &new, rng);
        // A third arrives whole: then it is there or not, but never in part.
        let cut = if rng.random_ratio(1, 3) { body.len() } else { rng.random_range(0..body.len()) };
        Self { kind, head, body, cut, new }
    }

    fn whole(&self) -> bool {
        self.cut == self.body.len()
    }

    /// Sends its part, keeps the line open until the server is gone, and says whether it has answered that it is done.
    async fn run(&self, address: &str) -> bool {
        let mut answer = Vec::new();
        if let Ok(mut stream) = send(address, &self.head, &self.body[..self.cut]).await {
            let _ = stream.read_to_end(&mut answer).await;
        }
        answer.starts_with(b"HTTP/1.1 2")
    }
}

/// One upload of each kind, and a SIGKILL in the middle of them.
async fn killed(server: &mut Server, drive: &mut Drive, files: &mut Files, rng: &mut StdRng) {
    let uploads: Vec<Doomed> = Kind::all().map(|kind| Doomed::new(kind, &drive.client, rng)).collect();
    let after = Duration::from_millis(rng.random_range(0..500));
    let address = server.address().to_owned();
    let answered = {
        let all = futures_util::future::join_all(uploads.iter().map(|upload| upload.run(&address)));
        tokio::pin!(all);
        let _ = tokio::time::timeout(after, &mut all).await;
        server.kill9();
        all.await
    };
    server.launch().await;
    drive.client = drive.client.at(server.url());
    for (upload, acknowledged) in uploads.iter().zip(answered) {
        let name = upload.kind.name();
        let there = drive.one(&name).await;
        eprintln!("{name}: {} of {} bytes, acknowledged: {acknowledged}", upload.cut, upload.body.len());
        if upload.whole() && there.as_ref() == Some(&upload.new) {
            files.insert(name, upload.new.clone());
        } else {
            assert!(!acknowledged, "{name} was acknowledged and is gone");
            assert!(there.as_ref() == files.get(&name), "{name} is neither the old nor the new content");
        }
    }
    drive.holds(files).await;
    nothing_but_history(drive, files).await;
}

/// The slots hold what was displaced, one for each version that is not the newest, and nothing else.
async fn nothing_but_history(drive: &Drive, files: &Files) {
    let mut displaced = 0;
    for name in files.keys() {
        displaced += drive.versions(name).await - 1;
    }
    let count = |root: &Path| slots(root).len();
    eventually("nothing to be left in staging", || async { (count(&drive.root) == displaced).then_some(()) })
        .await;
}

both_engines! {
    async fn an_upload_that_breaks_off_at_any_point_changes_nothing_and_leaves_nothing(server: Server) {
        let mut rng = StdRng::seed_from_u64(seed());
        let drive = Drive::of(&server).await;
        let files = drive.begin(&mut rng).await;
        let kept = slots(&drive.root);
        for point in 0..POINTS {
            for kind in Kind::at(point) {
                broken_off(&server, &drive, &files, &kept, kind, point, &mut rng).await;
            }
            drive.holds(&files).await;
        }
        for kind in Kind::all() {
            assert_eq!(drive.versions(&kind.name()).await, usize::from(kind.over), "{}", kind.name());
        }
    }

    async fn a_server_killed_under_uploads_has_the_old_content_or_the_whole_new_one(started: Server) {
        let mut rng = StdRng::seed_from_u64(seed());
        let mut server = started;
        let mut drive = Drive::of(&server).await;
        let mut files = drive.begin(&mut rng).await;
        for _ in 0..if long() { 10 * KILLS } else { KILLS } {
            killed(&mut server, &mut drive, &mut files, &mut rng).await;
        }
    }
}

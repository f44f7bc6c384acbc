//! What a drive looks like from behind: its plain folder, its slots, and requests that no polite client would send.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::eventually;
use crate::server::Server;

/// The plain folder of a client's home drive.
///
/// # Panics
/// When the client is not signed in.
pub async fn home_of(server: &Server, client: &Client) -> PathBuf {
    let me = client.get("/api/me").await.expect(200);
    match me["id"].as_str() {
        Some(id) => server.home_root(id),
        None => panic!("no id: {me}"),
    }
}

/// Everything in a plain folder but the reserved one: files with their content, folders with `None`. Paths have a slash
/// in front, as the API writes them.
///
/// # Panics
/// When it cannot be read.
pub fn plain(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

#[expect(clippy::expect_used, reason = "a test that cannot look at the disk can only fail")]
fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path == root.join(".holdfast") || path == root.join("lost+found") {
            continue;
        }
        let name = format!("/{}", path.strip_prefix(root).expect("beneath").to_string_lossy());
        if path.is_dir() {
            found.insert(name, None);
            walk(root, &path, found);
        } else {
            found.insert(name, Some(std::fs::read(&path).expect("a file")));
        }
    }
}

/// What waits or is kept in a drive's slots, by their names.
///
/// # Panics
/// When they cannot be read.
#[expect(clippy::expect_used, reason = "a test that cannot look at the disk can only fail")]
pub fn slots(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for bucket in std::fs::read_dir(root.join(".holdfast/versions")).expect("the slots") {
        let bucket = bucket.expect("an entry").path();
        if bucket.is_dir() {
            for slot in std::fs::read_dir(bucket).expect("a bucket") {
                names.push(slot.expect("a slot").file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

/// Waits until exactly these slots are left; what was refused is removed soon, not at once.
///
/// # Panics
/// When others stay.
pub async fn only_slots(root: &Path, expected: &[String]) {
    eventually("nothing to be left behind", || async { (slots(root) == expected).then_some(()) }).await;
}

/// Sends bytes as they are over a connection of its own and gives it back, still open.
///
/// # Panics
/// When the server cannot be reached.
#[expect(clippy::expect_used, reason = "a test without its server can only fail")]
pub async fn send_raw(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.write_all(bytes).await.expect("to be heard");
    stream
}

/// Sends a request with its address exactly as written and no body; returns the status.
///
/// # Panics
/// When there is no answer.
#[expect(clippy::expect_used, reason = "a test without an answer can only fail")]
pub async fn status_of_raw(server: &Server, client: &Client, method: &str, address: &str) -> u16 {
    let request = format!(
        "{method} {address} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n",
        client.access_token()
    );
    let mut stream = send_raw(server, request.as_bytes()).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

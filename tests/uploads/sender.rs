//! A sender that speaks tus, one request at a time.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;
use reqwest::{Method, RequestBuilder};
use sha2::{Digest as _, Sha256};
use support::{Answer, Client, Server, home_of};

/// What a part is sent as.
pub const PART: &str = "application/offset+octet-stream";

/// An account that uploads into its home drive.
pub struct Sender {
    pub client: Client,
    /// The drive's plain folder.
    pub root: PathBuf,
}

/// Random bytes.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut content = vec![0; count];
    rand::rng().fill_bytes(&mut content);
    content
}

/// A content's hash.
pub fn hash(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// `Upload-Metadata`.
pub fn metadata(pairs: &[(&str, &str)]) -> String {
    let one = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
    pairs.iter().map(one).collect::<Vec<_>>().join(",")
}

impl Sender {
    /// The first account's.
    pub async fn of(server: &Server) -> Self {
        Self::of_client(server, server.admin().await).await
    }

    pub async fn of_client(server: &Server, client: Client) -> Self {
        let root = home_of(server, &client).await;
        Self { client, root }
    }

    /// The same at a server's new address.
    pub fn at(&self, url: &str) -> Self {
        Self { client: self.client.at(url), root: self.root.clone() }
    }

    pub fn ask(&self, method: Method, at: &str) -> RequestBuilder {
        self.client.request(method, at).header("Tus-Resumable", "1.0.0")
    }

    /// Asks for an upload of so many bytes.
    pub async fn create(&self, size: usize, pairs: &[(&str, &str)]) -> Answer {
        let ask = self.ask(Method::POST, "/api/uploads").header("Upload-Length", size);
        self.client.send(ask.header("Upload-Metadata", metadata(pairs))).await
    }

    /// Begins one of so many bytes; gives its address.
    pub async fn begin(&self, size: usize, pairs: &[(&str, &str)]) -> String {
        let answer = self.create(size, pairs).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.header("location").unwrap().to_owned()
    }

    /// A part, to be sent.
    pub fn part(&self, at: &str, offset: usize, part: impl Into<reqwest::Body>) -> RequestBuilder {
        let ask = self.ask(Method::PATCH, at).header("Content-Type", PART);
        ask.header("Upload-Offset", offset).body(part)
    }

    /// Sends a part.
    pub async fn append(&self, at: &str, offset: usize, part: &[u8]) -> Answer {
        self.client.send(self.part(at, offset, part.to_vec())).await
    }

    /// What HEAD says.
    pub async fn look(&self, at: &str) -> Answer {
        self.client.send(self.ask(Method::HEAD, at)).await
    }

    /// Where an upload stands.
    pub async fn offset(&self, at: &str) -> usize {
        let answer = self.look(at).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        number(&answer, "upload-offset")
    }

    pub async fn terminate(&self, at: &str) -> Answer {
        self.client.send(self.ask(Method::DELETE, at)).await
    }

    /// A file's content, and that it lies in the plain folder.
    pub async fn read(&self, path: &str) -> Vec<u8> {
        let answer = self.client.get(&format!("/api/drives/home/files{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(std::fs::read(self.root.join(&path[1..])).unwrap(), answer.bytes, "{path}");
        answer.bytes
    }

    /// Everything in the tree, by path.
    pub async fn paths(&self) -> Vec<String> {
        let tree = self.client.get("/api/drives/home/tree?recursive=true").await.expect(200);
        let entries = tree["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    }

    /// The uploads whose bytes wait on the disk.
    pub fn waiting(&self) -> Vec<String> {
        let listed = std::fs::read_dir(self.root.join(".holdfast/uploads")).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A header that is a number.
#[track_caller]
pub fn number(answer: &Answer, name: &str) -> usize {
    match answer.header(name).and_then(|text| text.parse().ok()) {
        Some(number) => number,
        None => panic!("no {name}: {} {:?}", answer.status, answer.headers),
    }
}

//! A user's home drive, seen from both sides: through the API and as a plain folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Answer, Client, Server, eventually, home_of, only_slots, plain, slots};

/// The home drive of a client.
pub struct Home {
    pub client: Client,
    /// Its plain folder.
    pub root: PathBuf,
}

/// All that a user could see of a drive: its tree, its trash, what was done in it, every version of every live file, and
/// the plain folder.
#[derive(Debug, PartialEq)]
pub struct Seen {
    tree: Vec<Value>,
    trash: Value,
    acts: Vec<Value>,
    histories: Vec<Value>,
    plain: BTreeMap<String, Option<Vec<u8>>>,
}

/// What a drive was like before something that must not change it.
pub struct Before {
    seen: Seen,
    slots: Vec<String>,
}

impl Home {
    /// The first account's.
    pub async fn of(server: &Server) -> Self {
        Self::of_client(server, server.admin().await).await
    }

    pub async fn of_client(server: &Server, client: Client) -> Self {
        let root = home_of(server, &client).await;
        Self { client, root }
    }

    /// With files, and the folders they are in.
    pub async fn with(server: &Server, files: &[(&str, &str)]) -> Self {
        let home = Self::of(server).await;
        for (path, content) in files {
            home.write(path, content).await;
        }
        home
    }

    /// The same after a restart of the server.
    pub fn at(&self, server: &Server) -> Self {
        Self { client: self.client.at(server.url()), root: self.root.clone() }
    }

    /// Writes a file, with the folders above it.
    pub async fn write(&self, path: &str, content: &str) -> Value {
        let answer = self.client.put(&format!("{}?parents=true", file(path)), content.to_owned()).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
        assert_eq!(answer.header("holdfast-placement"), None, "{path}");
        answer.json()
    }

    /// A PUT with these headers.
    pub async fn put_with(&self, path: &str, content: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_with(Method::PUT, path, content, headers).await
    }

    /// A request for a file with these headers.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        content: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.request(method, &file(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !content.is_empty() {
            request = request.body(content.to_owned());
        }
        self.client.send(request).await
    }

    /// A file's content.
    pub async fn read(&self, path: &str) -> String {
        let answer = self.client.get(&file(path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    pub async fn remove(&self, path: &str) {
        self.client.delete(&file(path)).await.expect(204);
    }

    pub async fn folder(&self, path: &str) -> Value {
        self.client.post("/api/drives/home/folders", json!({"path": path})).await.expect(201)
    }

    pub async fn rename(&self, from: &str, to: &str) -> Answer {
        self.client.post("/api/drives/home/moves", json!({"from": from, "to": to})).await
    }

    pub async fn copy(&self, from: &str, to: &str) -> Answer {
        self.client.post("/api/drives/home/copies", json!({"from": from, "to": to})).await
    }

    /// What the tree says of a file or folder.
    pub async fn entry(&self, path: &str) -> Value {
        let tree = self.tree().await;
        match tree.iter().find(|entry| entry["path"] == path) {
            Some(entry) => entry.clone(),
            None => panic!("{path} is not in {tree:?}"),
        }
    }

    /// Everything in the tree.
    pub async fn tree(&self) -> Vec<Value> {
        let page = self.client.get("/api/drives/home/tree?recursive=true&limit=10000").await.expect(200);
        assert_eq!(page["next"], Value::Null);
        items(&page["entries"]).clone()
    }

    /// The paths of everything in the tree.
    pub async fn paths(&self) -> Vec<String> {
        self.tree().await.iter().map(|entry| text(&entry["path"]).to_owned()).collect()
    }

    /// What was deleted, latest first.
    pub async fn trash(&self) -> Vec<Value> {
        items(&self.client.get("/api/drives/home/trash").await.expect(200)["items"]).clone()
    }

    /// What was done in the drive, in order.
    pub async fn acts(&self) -> Vec<Value> {
        let log = self.client.get("/api/events?limit=1000").await.expect(200);
        items(&log["items"]).iter().filter(|event| !event["drive"].is_null()).cloned().collect()
    }

    /// A file's versions, the newest first.
    pub async fn versions(&self, id: &Value) -> Vec<Value> {
        let page =
            self.client.get(&format!("/api/drives/home/nodes/{}/versions", text(id))).await.expect(200);
        items(&page["items"]).clone()
    }

    /// The contents of a file's versions, the newest first.
    pub async fn contents(&self, id: &Value) -> Vec<String> {
        let mut contents = Vec::new();
        for version in self.versions(id).await {
            contents.push(self.content_of(&version).await);
        }
        contents
    }

    pub async fn content_of(&self, version: &Value) -> String {
        let answer = self.client.get(&version_content(version)).await;
        assert_eq!(answer.status, 200, "{version}: {}", answer.text());
        assert_eq!(hash(answer.text()), text(&version["hash"]));
        answer.text()
    }

    /// The plain folder is what the tree says: the same files with the same contents, the same folders.
    pub async fn is_plain(&self) {
        let shown = plain(&self.root);
        let on_disk: BTreeMap<_, _> = shown
            .iter()
            .map(|(path, content)| (path.clone(), content.as_ref().map_or(Value::Null, |c| hash(c).into())))
            .collect();
        let told: BTreeMap<_, _> = self
            .tree()
            .await
            .into_iter()
            .map(|entry| (text(&entry["path"]).to_owned(), entry["hash"].clone()))
            .collect();
        assert_eq!(on_disk, told);
    }

    /// Everything there is to see.
    pub async fn look(&self) -> Seen {
        let tree = self.tree().await;
        let mut histories = Vec::new();
        for entry in &tree {
            histories.push(self.versions(&entry["id"]).await.into());
        }
        Seen {
            trash: self.trash().await.into(),
            acts: self.acts().await,
            plain: plain(&self.root),
            histories,
            tree,
        }
    }

    /// Remembers what there is.
    pub async fn before(&self) -> Before {
        Before { seen: self.look().await, slots: slots(&self.root) }
    }

    /// Nothing has changed and nothing is left behind.
    pub async fn is_as(&self, before: &Before) {
        assert_eq!(self.look().await, before.seen);
        only_slots(&self.root, &before.slots).await;
    }

    /// Waits until a file is known with this content by its hash.
    pub async fn until_known(&self, path: &str, content: &str) {
        let expected = format!("\"{}\"", hash(content));
        eventually("what is on the disk to be known", || async {
            let answer = self.client.get(&file(path)).await;
            (answer.header("etag") == Some(expected.as_str())).then_some(())
        })
        .await;
    }
}

/// The address of a file in the home drive.
pub fn file(path: &str) -> String {
    format!("/api/drives/home/files{}", encoded(path))
}

/// The address of a version's content.
pub fn version_content(version: &Value) -> String {
    format!("/api/drives/home/versions/{}/content", text(&version["id"]))
}

/// A path with everything percent-encoded that might mean something else.
pub fn encoded(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    let encode = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(encode).collect()
}

/// SHA-256 in hex.
pub fn hash(content: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(content))
}

/// A content's entity tag.
pub fn tag(content: &str) -> String {
    format!("\"{}\"", hash(content))
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    match value.as_str() {
        Some(text) => text,
        None => panic!("no text: {value}"),
    }
}

#[track_caller]
pub fn items(value: &Value) -> &Vec<Value> {
    match value.as_array() {
        Some(items) => items,
        None => panic!("no list: {value}"),
    }
}

//! A device as the plainest client is: it knows its files and its name, and forgets everything else between two calls.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Answer, Client, Server, home_of, plain};

/// Every list of a plan.
const LISTS: [&str; 9] = [
    "to_move",
    "moved_by_client",
    "to_delete",
    "deleted_by_client",
    "to_download",
    "to_upload",
    "conflicts",
    "deleted_elsewhere",
    "unsyncable",
];

/// A registered device with what it holds.
pub struct Device {
    /// Names the device with each request.
    pub client: Client,
    /// What it calls itself.
    pub id: String,
    /// Its files by path.
    pub files: BTreeMap<String, String>,
}

impl Device {
    /// A new one, holding nothing.
    pub async fn new(owner: &Client, id: &str) -> Self {
        owner.post("/api/sync/register", json!({"device_id": id, "device_name": id})).await.expect(200);
        Self { client: owner.on_device(id), id: id.to_owned(), files: BTreeMap::new() }
    }

    /// Changes a file on the device alone.
    pub fn hold(&mut self, path: &str, content: &str) {
        self.files.insert(path.to_owned(), content.to_owned());
    }

    /// Removes a file on the device alone.
    pub fn lose(&mut self, path: &str) {
        self.files.remove(path).unwrap();
    }

    /// Renames a file on the device alone.
    pub fn rename(&mut self, from: &str, to: &str) {
        let content = self.files.remove(from).unwrap();
        self.hold(to, &content);
    }

    /// The whole list of its files.
    pub fn list(&self) -> Vec<Value> {
        self.files.iter().map(|(path, content)| claim(path, content)).collect()
    }

    /// Tells what it holds and returns the plan.
    pub async fn tell(&self) -> Value {
        self.tell_with(json!({})).await
    }

    /// The same with more fields, or others.
    pub async fn tell_with(&self, fields: Value) -> Value {
        self.ask(fields).await.expect(200)
    }

    /// The same, whatever the answer.
    pub async fn ask(&self, fields: Value) -> Answer {
        let mut body = json!({"device_id": self.id, "file_list": self.list()});
        for (field, value) in fields.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.client.post("/api/sync/changes", body).await
    }

    /// Writes a file here and on the server at once.
    pub async fn write(&mut self, path: &str, content: &str) {
        let answer = self.client.put(&file(path), content.to_owned()).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        self.hold(path, content);
    }

    /// Removes a file here and on the server at once.
    pub async fn remove(&mut self, path: &str) {
        self.client.delete(&file(path)).await.expect(204);
        self.lose(path);
    }

    /// Sends its content of a file, if the server still has `expect` there.
    pub async fn send(&self, path: &str, expect: Option<&str>) -> Answer {
        let content = self.files[path].clone();
        let request = self.client.request(Method::PUT, &file(path)).body(content);
        self.client.send(condition(request, expect)).await
    }

    /// Deletes on the server, if it still has `expect` there.
    pub async fn delete(&self, path: &str, expect: &str) -> Answer {
        let request = self.client.request(Method::DELETE, &file(path));
        self.client.send(condition(request, Some(expect))).await
    }

    /// Follows a plan as the protocol says: moves, deletes, downloads, uploads. Files alone; whatever needs a person stays.
    pub async fn follow(&mut self, plan: &Value) {
        for step in steps(plan, "to_move") {
            self.rename(text(&step["from"]), text(&step["to"]));
        }
        for step in steps(plan, "moved_by_client") {
            self.client.post("/api/drives/home/moves", step.clone()).await.expect(200);
        }
        for step in steps(plan, "to_delete") {
            self.check(step);
            self.lose(text(&step["path"]));
        }
        for step in steps(plan, "deleted_by_client") {
            self.delete(text(&step["path"]), text(&step["expect"])).await.expect(204);
        }
        for step in steps(plan, "to_download") {
            self.check(step);
            let path = text(&step["path"]);
            let content = read(&self.client, path).await;
            assert_eq!(step["hash"], hash(&content), "{step}");
            self.hold(path, &content);
        }
        for step in steps(plan, "to_upload") {
            let answer = self.send(text(&step["path"]), step["expect"].as_str()).await;
            assert!(matches!(answer.status, 200 | 201), "{step}: {}", answer.text());
        }
    }

    /// Tells and follows until a plan is empty.
    pub async fn settle(&mut self) {
        for _ in 0..4 {
            let plan = self.tell().await;
            if is_empty(&plan) {
                return;
            }
            self.follow(&plan).await;
        }
        panic!("{} is not settled: {}", self.id, self.tell().await);
    }

    /// The server knows what the device holds where it is to replace it.
    #[track_caller]
    fn check(&self, step: &Value) {
        let held = self.files.get(text(&step["path"])).map(|content| hash(content));
        assert_eq!(step["replaces"].as_str(), held.as_deref(), "{step}");
    }
}

/// A laptop and a phone of the first account, both empty.
pub async fn two(server: &Server) -> (Device, Device) {
    let owner = server.admin().await;
    (Device::new(&owner, "laptop").await, Device::new(&owner, "phone").await)
}

/// A laptop and a phone that have both agreed with the server on these files.
pub async fn agreed(server: &Server, files: &[(&str, &str)]) -> (Device, Device) {
    let (mut laptop, mut phone) = two(server).await;
    for (path, content) in files {
        laptop.write(path, content).await;
    }
    laptop.settle().await;
    phone.settle().await;
    assert_eq!(phone.files, laptop.files);
    (laptop, phone)
}

/// What a manifest says about a file.
pub fn claim(path: &str, content: &str) -> Value {
    json!({"path": path, "hash": hash(content), "size": content.len(), "modified_at": "2025-01-01T12:00:00Z"})
}

/// SHA-256 in hex.
pub fn hash(content: &str) -> String {
    hex::encode(Sha256::digest(content))
}

/// The address of a file in the home drive.
pub fn file(path: &str) -> String {
    format!("/api/drives/home/files{path}")
}

/// The server's content of a file.
pub async fn read(client: &Client, path: &str) -> String {
    let answer = client.get(&file(path)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

fn condition(request: reqwest::RequestBuilder, expect: Option<&str>) -> reqwest::RequestBuilder {
    match expect {
        Some(hash) => request.header("if-match", format!("\"{hash}\"")),
        None => request.header("if-none-match", "*"),
    }
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    match value.as_str() {
        Some(text) => text,
        None => panic!("no text: {value}"),
    }
}

/// A problem of one of these statuses.
#[track_caller]
pub fn expect_problem_of(answer: Answer, statuses: &[u16]) -> Value {
    let status = answer.status;
    assert!(statuses.contains(&status), "{status}: {}", answer.text());
    answer.expect_problem(status)
}

/// One of a plan's lists.
#[track_caller]
pub fn steps<'p>(plan: &'p Value, list: &str) -> &'p [Value] {
    match plan[list].as_array() {
        Some(steps) => steps,
        None => panic!("no {list} in {plan}"),
    }
}

/// The paths of one of a plan's lists.
#[track_caller]
pub fn paths<'p>(plan: &'p Value, list: &str) -> Vec<&'p str> {
    steps(plan, list).iter().map(|step| text(&step["path"])).collect()
}

/// Nothing is left to do.
#[track_caller]
pub fn is_empty(plan: &Value) -> bool {
    LISTS.iter().all(|list| steps(plan, list).is_empty()) && plan.get("needs_confirmation").is_none()
}

/// The only step of a plan, which must be in this list.
#[track_caller]
pub fn only<'p>(plan: &'p Value, list: &str) -> &'p Value {
    let count: usize = LISTS.iter().map(|list| steps(plan, list).len()).sum();
    assert!(count == 1 && steps(plan, list).len() == 1, "not one {list} alone: {plan:#}");
    &plan[list][0]
}

/// All that a user could see of a drive: its tree, every version of the given paths, its conflicts, its plain folder.
#[derive(Debug, PartialEq)]
pub struct Seen {
    tree: Value,
    histories: Vec<Value>,
    conflicts: Value,
    plain: BTreeMap<String, Option<Vec<u8>>>,
}

/// Looks at the home drive.
pub async fn look(server: &Server, client: &Client, at: &[&str]) -> Seen {
    let mut histories = Vec::new();
    for path in at {
        histories.push(client.get(&format!("/api/sync/history{path}")).await.expect(200));
    }
    Seen {
        tree: client.get("/api/drives/home/tree?recursive=true").await.expect(200),
        histories,
        conflicts: client.get("/api/conflicts?state=all").await.expect(200),
        plain: plain(&home_of(server, client).await),
    }
}

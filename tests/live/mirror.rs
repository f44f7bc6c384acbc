//! A tree of one's own of a drive, made from nothing but its feed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::Client;

/// Follows one drive.
pub struct Mirror {
    client: Client,
    drive: String,
    limit: u32,
    token: Option<String>,
    nodes: BTreeMap<String, Value>,
}

impl Mirror {
    /// Of a drive, by its name or id, in pages of so many nodes.
    pub fn of(client: &Client, drive: &str, limit: u32) -> Self {
        Self { client: client.clone(), drive: drive.to_owned(), limit, token: None, nodes: BTreeMap::new() }
    }

    /// The token of the last page.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// The address of the next page.
    pub fn next(&self) -> String {
        let since = self.token.as_ref().map(|token| format!("&since={token}")).unwrap_or_default();
        format!("/api/drives/{}/changes?limit={}{since}", self.drive, self.limit)
    }

    /// Applies pages until there is no more; gives the ids in the order in which they were told.
    pub async fn catch_up(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let page = self.client.get(&self.next()).await.expect(200);
            if page["reset"] == true {
                self.nodes.clear();
            }
            let changes = page["changes"].as_array().unwrap();
            assert!(changes.len() <= self.limit as usize);
            for node in changes {
                let id = node["id"].as_str().unwrap().to_owned();
                told.push(id.clone());
                self.nodes.insert(id, node.clone());
            }
            self.token = Some(page["token"].as_str().unwrap().to_owned());
            if page["more"] == false {
                return told;
            }
        }
    }

    /// What is told of a node.
    pub fn node(&self, id: &str) -> &Value {
        &self.nodes[id]
    }

    /// The path of a node, if it and all above it are live.
    fn path(&self, node: &Value) -> Option<String> {
        let mut names = Vec::new();
        let mut here = node;
        loop {
            assert!(names.len() < 100, "a folder within itself");
            if here["state"] == "dead" {
                return None;
            }
            names.push(here["name"].as_str().unwrap());
            match here["parent"].as_str() {
                Some(parent) => here = self.nodes.get(parent)?,
                None => break,
            }
        }
        names.reverse();
        Some(format!("/{}", names.join("/")))
    }

    /// The tree, as far as a listing tells the same of it.
    pub fn tree(&self) -> BTreeMap<String, Value> {
        let mut tree = BTreeMap::new();
        for node in self.nodes.values() {
            if let Some(path) = self.path(node) {
                let twice = tree.insert(path.clone(), seen(node));
                assert!(twice.is_none(), "two nodes at {path}");
            }
        }
        tree
    }
}

/// What a listing says of a drive, in the same form.
pub async fn listed(client: &Client, drive: &str) -> BTreeMap<String, Value> {
    let page = client.get(&format!("/api/drives/{drive}/tree?recursive=true&limit=10000")).await.expect(200);
    assert_eq!(page["next"], Value::Null);
    let entries = page["entries"].as_array().unwrap();
    entries.iter().map(|entry| (entry["path"].as_str().unwrap().to_owned(), seen(entry))).collect()
}

fn seen(of: &Value) -> Value {
    json!({
        "id": of["id"], "kind": of["kind"], "hash": of["hash"], "size": of["size"],
        // A folder's own time is the disk's business.
        "mtime_ns": if of["kind"] == "file" { of["mtime_ns"].clone() } else { Value::Null },
    })
}

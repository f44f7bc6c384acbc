//! A stream of events, read as it comes.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use support::Client;

/// Longer than two heartbeats.
const PATIENCE: Duration = Duration::from_secs(60);

/// One open stream.
pub struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    /// Opens one, with headers.
    pub async fn open(client: &Client, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = client.request(Method::GET, &format!("/api/events/stream{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, read: String::new() }
    }

    pub fn kind(&self) -> &str {
        self.response.headers()["content-type"].to_str().unwrap()
    }

    /// The next part up to a mark; `None` at the stream's end.
    async fn part(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some((part, rest)) = self.read.split_once(mark) {
                let part = part.to_owned();
                self.read = rest.to_owned();
                return Some(part);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("something to come within the patience").unwrap()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of server-sent events: its name, its id and its data. Comments are passed over.
    pub async fn next(&mut self) -> Option<(String, Option<String>, Value)> {
        loop {
            let event = self.part("\n\n").await?;
            if event.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
            };
            let data = serde_json::from_str(&field("data").unwrap()).unwrap();
            return Some((field("event").unwrap(), field("id"), data));
        }
    }

    /// The next event of NDJSON.
    pub async fn next_line(&mut self) -> Option<Value> {
        loop {
            let line = self.part("\n").await?;
            if !line.is_empty() {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }

    /// Waits for a comment.
    pub async fn comment(&mut self) {
        while !self.part("\n\n").await.expect("the stream to go on").starts_with(':') {}
    }

    /// Reads to the end, which has to come.
    pub async fn until_it_ends(mut self) {
        while self.next().await.is_some() {}
    }

    /// Waits until a drive's head is beyond a sequence; every other drive's is a fault.
    pub async fn head_beyond(&mut self, drive: &str, seq: i64) -> i64 {
        loop {
            let (event, _, data) = self.next().await.expect("the stream to go on");
            assert_eq!((event.as_str(), &data["drive"]), ("drive", &Value::from(drive)));
            let told = data["seq"].as_i64().unwrap();
            if told > seq {
                return told;
            }
        }
    }
}

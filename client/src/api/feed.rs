//! The feed of a drive, and what an agent asks besides.

use std::time::Duration;

use holdfast_protocol::DrivePath;
use holdfast_protocol::feed::FeedPage;
use holdfast_protocol::path::check_name;
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::error::ApiError;
use super::send::Ask;
use super::{Address, Api, answer};

/// Something comes at least every 20 seconds; a stream that is silent for longer has ended unnoticed.
const SILENCE: Duration = Duration::from_secs(45);
/// Longest line of the stream.
const LONGEST: usize = 64 * 1024;

/// Where the heads of drives are, as they move.
#[derive(Debug)]
pub struct Heads {
    response: Response,
    address: Address,
    text: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    event: String,
    data: Head,
}

#[derive(Deserialize)]
struct Head {
    drive: Uuid,
}

impl Heads {
    /// The next drive whose head has moved.
    ///
    /// # Errors
    /// When the stream has ended.
    pub async fn next(&mut self) -> Result<Uuid, ApiError> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                match serde_json::from_slice::<Line>(&line) {
                    Ok(line) if line.event == "drive" => return Ok(line.data.drive),
                    // Empty lines keep the stream alive; other events are for others.
                    _ => continue,
                }
            }
            if self.text.len() > LONGEST {
                return Err(ApiError::nonsense("a line of the stream without an end"));
            }
            match answer::chunk(&mut self.response, &self.address, SILENCE).await? {
                Some(bytes) => self.text.extend_from_slice(&bytes),
                None => return Err(ApiError::Broken { detail: "the stream has ended".to_owned() }),
            }
        }
    }
}

impl Api {
    /// A stream that tells when a drive's head has moved; at first where all heads are.
    ///
    /// # Errors
    /// The server's.
    pub async fn heads(&self) -> Result<Heads, ApiError> {
        let url = self.address.at(&["api", "events", "stream"]);
        let response = self.ask(Ask::get(url).header(ACCEPT, "application/x-ndjson")?).await?;
        Ok(Heads { response, address: self.address.clone(), text: Vec::new() })
    }

    /// Nodes of a drive whose latest change comes after the one that a token names; without one, from the beginning.
    ///
    /// # Errors
    /// The server's.
    pub async fn changes(
        &self,
        drive: &str,
        since: Option<&str>,
        limit: Option<u32>,
    ) -> Result<FeedPage, ApiError> {
        let limit = limit.map(|limit| limit.to_string());
        let ask = Ask::get(self.address.at(&["api", "drives", drive, "changes"]));
        let page: FeedPage =
            self.ask_json(ask.maybe("since", since).maybe("limit", limit.as_deref())).await?;
        if page.more && since.is_some_and(|since| since == page.token.to_string()) {
            return Err(ApiError::nonsense("a page of the feed leads to itself"));
        }
        // A name becomes part of a path on this device.
        if let Some(node) = page.changes.iter().find(|node| check_name(&node.name).is_err()) {
            return Err(ApiError::nonsense(format!("a node of the feed is called {:?}", node.name)));
        }
        Ok(page)
    }

    /// Deletes a folder that holds nothing.
    ///
    /// # Errors
    /// 404, 409 when it holds something, and the server's.
    pub async fn delete_empty_folder(&self, drive: &str, path: &DrivePath) -> Result<(), ApiError> {
        let url = self.address.at(&["api", "drives", drive, "files", path.as_str()]);
        self.ask_nothing(Ask::new(Method::DELETE, url).query("empty", "true")).await
    }
}

//! Sending a large content in parts (tus 1.0), so that a cut costs what was on its way and not what had arrived.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_protocol::ContentHash;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, Response};
use url::Url;
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use super::retry::Repeat;
use super::send::Ask;
use super::types::{Items, UnderWay, Written};
use super::upload::{Condition, Outgoing, Put};

/// From this size on. Two more requests are little beside so many bytes, and sending fewer again is soon done.
pub(super) const FROM: u64 = 8 * 1024 * 1024;
/// Bytes of one request: something in between that waits for a whole request before it passes it on costs this much when
/// the connection is cut, and not the whole file.
const PART: u64 = 32 * 1024 * 1024;
/// An attempt that came so much further begins the count of attempts anew.
const PROGRESS: u64 = 128 * 1024;

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const NODE: HeaderName = HeaderName::from_static("holdfast-node");
const VERSION: HeaderName = HeaderName::from_static("holdfast-version");
const MTIME_NS: HeaderName = HeaderName::from_static("holdfast-mtime-ns");

/// Where an upload stands.
struct Standing {
    offset: u64,
    /// What the last answer said of the file it has become.
    headers: HeaderMap,
}

impl Api {
    /// Puts a content into a drive in parts; goes on with one that was interrupted, also by an earlier run. `None` when
    /// the server takes none in parts, or none more now.
    ///
    /// # Errors
    /// As [`Api::put_file`].
    pub(super) async fn put_in_parts(
        &self,
        put: &Put<'_>,
        content: &Outgoing,
        hash: ContentHash,
    ) -> Result<Option<Written>, ApiError> {
        let metadata = metadata(put, hash);
        // What is gone when it is come back to was given up or took too long: once more from the beginning.
        for _ in 0..2 {
            let Some(at) = self.upload_for(&metadata, content.size()).await? else { return Ok(None) };
            if let Some(headers) = self.send_parts(&at, content).await? {
                return written(put, content.size(), &headers).map(Some);
            }
        }
        Ok(None)
    }

    /// The address of the upload that is to become this, begun now or before.
    async fn upload_for(&self, metadata: &str, size: u64) -> Result<Option<Url>, ApiError> {
        let url = self.address.at(&["api", "uploads"]);
        let listed = self.ask_json::<Items<UnderWay>>(Ask::get(url.clone()).query("limit", "1000")).await;
        let listed = match listed {
            Err(error) if is_not_offered(&error) => return Ok(None),
            listed => listed?,
        };
        let same = |one: &UnderWay| one.metadata == metadata && one.size == size;
        if let Some(found) = listed.items.into_iter().find(same) {
            return Ok(Some(self.upload_at(found.id)));
        }
        let ask = tus(Ask::new(Method::POST, url))?
            .header(UPLOAD_LENGTH, &size.to_string())?
            .header(UPLOAD_METADATA, metadata)?
            // One that was begun twice expires by itself.
            .repeatable();
        let begun = match self.ask(ask).await {
            Err(error) if is_not_offered(&error) => return Ok(None),
            begun => begun?,
        };
        let id = text(begun.headers(), &LOCATION).and_then(|to| to.rsplit('/').next()?.parse().ok());
        match id {
            Some(id) => Ok(Some(self.upload_at(id))),
            None => Err(ApiError::nonsense("an upload was begun and nobody says where")),
        }
    }

    fn upload_at(&self, id: Uuid) -> Url {
        self.address.at(&["api", "uploads", &id.to_string()])
    }

    /// Sends what is missing; `None` when the upload is gone.
    async fn send_parts(&self, at: &Url, content: &Outgoing) -> Result<Option<HeaderMap>, ApiError> {
        let size = content.size();
        let Some(mut stands) = self.stands(at, size).await? else { return Ok(None) };
        let mut made = 0;
        while stands.offset < size {
            made += 1;
            let until = size.min(stands.offset + PART);
            let ask = tus(Ask::new(Method::PATCH, at.clone()))?
                .header(CONTENT_TYPE, "application/offset+octet-stream")?
                .header(UPLOAD_OFFSET, &stands.offset.to_string())?
                .content(content.part(stands.offset, until));
            let error = match self.ask_once(&ask).await {
                Ok(answer) => {
                    stands = standing(&answer)?;
                    if stands.offset != until {
                        return Err(ApiError::nonsense("a part was taken and has not arrived"));
                    }
                    made = 0;
                    continue;
                }
                Err(error) => error,
            };
            let wait = if is_elsewhere(&error) && made < self.patience.attempts {
                Some(self.patience.backoff(made))
            } else {
                self.patience.before_next(made, &error, Repeat::Freely)
            };
            let Some(wait) = wait else { return Err(error) };
            tokio::time::sleep(wait).await;
            let Some(now) = self.stands(at, size).await? else { return Ok(None) };
            if now.offset >= stands.offset + PROGRESS {
                made = 0;
            }
            stands = now;
        }
        Ok(Some(stands.headers))
    }

    /// Where an upload stands; `None` when it is gone.
    async fn stands(&self, at: &Url, size: u64) -> Result<Option<Standing>, ApiError> {
        match self.ask(tus(Ask::new(Method::HEAD, at.clone()))?).await {
            Ok(answer) => match standing(&answer)? {
                stands if stands.offset <= size => Ok(Some(stands)),
                _ => Err(ApiError::nonsense("an upload has more than was to be sent")),
            },
            Err(error) if error.problem().is_some_and(|problem| matches!(problem.status, 404 | 410)) => {
                Ok(None)
            }
            // It has no words; the empty part that asks for the same is answered with some.
            Err(ApiError::Problem(_)) => {
                let ask = tus(Ask::new(Method::PATCH, at.clone()))?
                    .header(CONTENT_TYPE, "application/offset+octet-stream")?
                    .header(UPLOAD_OFFSET, &size.to_string())?;
                standing(&self.ask_once(&ask).await?).map(Some)
            }
            Err(error) => Err(error),
        }
    }
}

fn tus(ask: Ask) -> Result<Ask, ApiError> {
    ask.header(TUS_RESUMABLE, "1.0.0")
}

/// Whether a server takes no contents in parts: an older one, or one that has enough of them now. What else is wrong is said
/// again when the content is sent as a whole.
fn is_not_offered(error: &ApiError) -> bool {
    error
        .problem()
        .is_some_and(|problem| matches!(problem.status, 404 | 405) || problem.name() == "too-many-uploads")
}

/// Whether an upload stands elsewhere than was thought: an answer was lost, or another process sends the same.
fn is_elsewhere(error: &ApiError) -> bool {
    let name = error.problem().map(super::Problem::name);
    matches!(name, Some("other-offset" | "taken-over"))
}

/// What the upload is to become; the same for the same file, so that it is found again.
fn metadata(put: &Put<'_>, hash: ContentHash) -> String {
    let expect = match put.condition {
        Condition::Any => None,
        Condition::New => Some("none".to_owned()),
        Condition::Replaces(hash) => Some(hash.to_string()),
    };
    let all = [
        ("drive", Some(put.drive.to_owned())),
        ("path", Some(put.path.as_str().to_owned())),
        ("hash", Some(hash.to_string())),
        ("mtime_ns", put.mtime_ns.map(|ns| ns.to_string())),
        ("expect", expect),
        ("parents", Some(put.parents.to_string())),
    ];
    let given = all.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
    let pairs: Vec<String> = given.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    pairs.join(",")
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    text(headers, name)?.parse().ok()
}

fn standing(answer: &Response) -> Result<Standing, ApiError> {
    let headers = answer.headers().clone();
    let offset = number(&headers, &UPLOAD_OFFSET);
    let offset = offset.ok_or_else(|| ApiError::nonsense("nobody says where an upload stands"))?;
    Ok(Standing { offset, headers })
}

fn written(put: &Put<'_>, size: u64, headers: &HeaderMap) -> Result<Written, ApiError> {
    let missing = || ApiError::nonsense("an upload has arrived and nobody says what it has become");
    Ok(Written {
        path: put.path.clone(),
        hash: text(headers, &ETAG).and_then(|tag| tag.trim_matches('"').parse().ok()),
        size,
        version: number(headers, &VERSION),
        id: number(headers, &NODE).ok_or_else(missing)?,
        mtime_ns: number(headers, &MTIME_NS).ok_or_else(missing)?,
    })
}

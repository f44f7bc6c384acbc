//! A real server, as the engine sees it: the REST client behind the contract.

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::{Buf as _, Bytes};
use holdfast_protocol::feed::NodeState;
use holdfast_protocol::{ContentHash, DrivePath};
use tokio::runtime::Handle;

use super::contract::{Feed, Put, Remote, Trouble, Written};
use super::trees::{NodeId, RemoteNode, RemoteTree, State};
use crate::api::{self, Api, ApiError, Condition, Content, Source, Transfer};

/// So often a download goes on where it was cut.
const RESUMES: u32 = 5;

/// A drive of a server. Blocks, on a thread that is not the runtime's own.
#[derive(Debug, Clone)]
pub struct Drive {
    api: Api,
    drive: String,
    handle: Handle,
}

impl Drive {
    /// A drive, by its id.
    pub fn new(api: Api, drive: String, handle: Handle) -> Self {
        Self { api, drive, handle }
    }

    fn wait<T>(&self, asked: impl Future<Output = Result<T, ApiError>>) -> Result<T, Trouble> {
        self.handle.block_on(asked).map_err(|error| trouble(&error))
    }
}

/// What a refusal means for the engine.
fn trouble(error: &ApiError) -> Trouble {
    let said = error.to_string();
    match (error.trouble(), error) {
        (api::Trouble::NotFound, ApiError::Problem(problem)) if problem.name() == "no-drive" => {
            Trouble::Side(said)
        }
        (api::Trouble::NotFound | api::Trouble::Conflict, _)
        | (_, ApiError::Changed { .. } | ApiError::WrongContent { .. }) => Trouble::Changed(said),
        (_, ApiError::Local { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Trouble::Changed(said)
        }
        (_, ApiError::Local { .. }) => Trouble::Item(said),
        (_, ApiError::Problem(problem)) if matches!(problem.status, 400 | 413 | 422 | 507) => {
            Trouble::Item(said)
        }
        _ => Trouble::Side(said),
    }
}

impl Remote for Drive {
    type Outgoing = PathBuf;

    fn feed(&self, since: Option<&str>) -> Result<Feed, Trouble> {
        let page = self.wait(self.api.changes(&self.drive, since, None))?;
        let changes = page.changes.into_iter().map(|node| RemoteNode {
            id: node.id,
            parent: Some(node.parent.unwrap_or(RemoteTree::ROOT)),
            name: node.name,
            kind: node.kind,
            state: match node.state {
                NodeState::Live => State::Live,
                NodeState::Dead => State::Dead,
                NodeState::Missing => State::Missing,
            },
            hash: node.hash,
            size: node.size,
            mtime_ns: node.mtime_ns,
            seq: node.seq,
        });
        Ok(Feed {
            changes: changes.collect(),
            token: page.token.to_string(),
            more: page.more,
            reset: page.reset,
        })
    }

    fn put(&self, put: &Put, content: PathBuf) -> Result<Written, Trouble> {
        let asked = api::Put {
            drive: &self.drive,
            path: &put.path,
            condition: put.expect.map_or(Condition::New, Condition::Replaces),
            mtime_ns: Some(put.mtime_ns),
            parents: false,
            hash: Some(put.hash),
        };
        let written = self.wait(self.api.put_file(&asked, &content, None))?;
        Ok(Written { id: written.id })
    }

    fn make_folder(&self, path: &DrivePath) -> Result<Written, Trouble> {
        let made = self.wait(self.api.make_folder(&self.drive, path, false))?;
        Ok(Written { id: made.id })
    }

    fn rename(&self, from: &DrivePath, to: &DrivePath, expect: Option<ContentHash>) -> Result<(), Trouble> {
        let transfer = Transfer { from: from.clone(), to: to.clone(), expect, ..Transfer::default() };
        self.wait(self.api.move_within(&self.drive, &transfer)).map(|_| ())
    }

    fn delete_file(&self, path: &DrivePath, expect: ContentHash) -> Result<(), Trouble> {
        self.wait(self.api.delete(&self.drive, path, Some(&expect)))
    }

    fn delete_folder(&self, path: &DrivePath) -> Result<(), Trouble> {
        self.wait(self.api.delete_empty_folder(&self.drive, path))
    }

    fn open(&self, path: &DrivePath, hash: ContentHash) -> Result<Box<dyn Read + Send>, Trouble> {
        let mut body = Arriving {
            server: self.clone(),
            path: path.clone(),
            hash,
            content: None,
            piece: Bytes::new(),
            at: 0,
            resumes: 0,
        };
        body.content = Some(self.wait(body.begin())?);
        Ok(Box::new(body))
    }

    fn history(&self, id: NodeId) -> Result<Vec<ContentHash>, Trouble> {
        let mut hashes = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = match self.wait(self.api.versions(&self.drive, id, cursor.as_deref())) {
                // Purged meanwhile: it has no history.
                Err(Trouble::Changed(_)) => return Ok(hashes),
                other => other?,
            };
            hashes.extend(page.items.into_iter().map(|version| version.hash));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(hashes),
            }
        }
    }
}

/// A content as it arrives; goes on where it was cut.
struct Arriving {
    server: Drive,
    path: DrivePath,
    hash: ContentHash,
    content: Option<Content>,
    piece: Bytes,
    at: u64,
    resumes: u32,
}

impl Arriving {
    async fn begin(&self) -> Result<Content, ApiError> {
        let source = Source::File { drive: &self.server.drive, path: &self.path };
        self.server.api.content(&source, self.at, Some(&self.hash)).await
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if self.content.is_none() {
                self.content = Some(self.begin().await?);
            }
            let Some(content) = self.content.as_mut() else { return Ok(None) };
            match content.next().await {
                Err(error) if error.trouble() == api::Trouble::Unreachable && self.resumes < RESUMES => {
                    self.resumes += 1;
                    self.content = None;
                }
                other => return other,
            }
        }
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let handle = self.server.handle.clone();
            match handle.block_on(self.next()).map_err(io::Error::other)? {
                Some(piece) => {
                    self.at += piece.len() as u64;
                    self.piece = piece;
                }
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

//! A real server, as the engine sees it: the REST client behind the contract.

mod acts;
mod arriving;

use std::io;
use std::path::PathBuf;

use holdfast_protocol::ContentHash;
use holdfast_protocol::feed::NodeState;
use tokio::runtime::Handle;

use super::contract::{Act, Arriving, Done, Feed, Remote, Trouble, Wanted};
use super::trees::{NodeId, RemoteNode, RemoteTree, State};
use crate::api::{self, Api, ApiError};

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

    fn act(&self, acts: Vec<Act<PathBuf>>) -> Vec<Result<Done, Trouble>> {
        self.handle.block_on(acts::all(&self.api, &self.drive, acts))
    }

    fn fetch(
        &self,
        wanted: &[Wanted],
        take: &mut dyn FnMut(usize, Result<Arriving, Trouble>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let (small, large): (Vec<usize>, Vec<usize>) =
            (0..wanted.len()).partition(|&index| wanted[index].size <= arriving::SMALL);
        arriving::many(self, wanted, &small, take)?;
        for index in large {
            take(index, arriving::one(self, &wanted[index]))?;
        }
        Ok(())
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

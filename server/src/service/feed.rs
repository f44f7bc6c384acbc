//! The feed of a drive, from which an agent keeps a tree of its own (`docs/design/006-the-agent.md`, algorithms C).

use std::sync::Arc;

use holdfast_protocol::Kind;
use holdfast_protocol::feed::{FeedNode, FeedPage, NodeState};
use uuid::Uuid;

use super::placement::Mounted;
use crate::catalog::db::Tx;
use crate::catalog::drives::{self, Drive};
use crate::catalog::feed::{self, Told};
use crate::catalog::{changes, since};
use crate::error::{Error, Result};

/// A page of a drive's feed: at most `limit` nodes whose latest change comes after the one that `token` names. No token: from
/// the beginning. One that names no change of this drive, or one from before what was pruned: likewise, and the page says
/// so, for nothing that was told before can be relied on then (algorithms B: never an error).
///
/// # Errors
/// The catalogue's.
pub async fn page(mounted: &Arc<Mounted>, token: Option<String>, limit: u32) -> Result<FeedPage> {
    let drive = mounted.id;
    mounted
        .db()
        .read(move |tx| Box::pin(async move { page_in(tx, drive, token.as_deref(), limit).await }))
        .await
}

/// As [`page`], of a drive by its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn page_in(tx: &mut Tx, drive: i64, token: Option<&str>, limit: u32) -> Result<FeedPage> {
    // Before the rows, and in one snapshot with them: nothing comes between.
    let drive = drives::by_id(tx, drive).await?.ok_or_else(|| Error::internal("a drive that went"))?;
    match token {
        None => page_after(tx, &drive, None, false, limit).await,
        Some(token) => {
            let seq = seq_of(tx, &drive, token).await?;
            page_after(tx, &drive, seq, seq.is_none(), limit).await
        }
    }
}

/// The sequence that a token names, if it still says something about the drive.
async fn seq_of(tx: &mut Tx, drive: &Drive, token: &str) -> Result<Option<i64>> {
    let Ok(change) = Uuid::try_parse(token) else { return Ok(None) };
    let seq = since::seq_of(tx, drive.id, change).await?;
    Ok(seq.filter(|seq| *seq >= drive.prune_floor))
}

async fn page_after(
    tx: &mut Tx,
    drive: &Drive,
    seq: Option<i64>,
    reset: bool,
    limit: u32,
) -> Result<FeedPage> {
    let one_more = i64::from(limit) + 1;
    let mut told = match seq {
        Some(seq) => feed::after(tx, drive.id, seq, one_more).await?,
        None => feed::first(tx, drive.id, one_more).await?,
    };
    let more = told.len() > limit as usize;
    told.truncate(limit as usize);
    let up_to = told.last().filter(|_| more).map_or(drive.head_seq, |last| last.seq);
    let token = changes::token_at(tx, drive.id, up_to).await?;
    let token = token.ok_or_else(|| Error::internal("a node or head whose sequence is no change"))?;
    Ok(FeedPage { changes: told.into_iter().map(node).collect(), token, more, reset })
}

fn node(told: Told) -> FeedNode {
    FeedNode {
        id: told.uuid,
        parent: told.parent,
        kind: if told.is_folder() { Kind::Folder } else { Kind::File },
        state: match told.state.as_str() {
            "dead" => NodeState::Dead,
            "missing" => NodeState::Missing,
            // Also what waits for its place: it is read from its slot meanwhile.
            _ => NodeState::Live,
        },
        hash: told.content_hash(),
        size: if told.is_folder() { 0 } else { told.size.cast_unsigned() },
        mtime_ns: told.mtime_ns,
        seq: told.seq,
        name: told.name,
    }
}

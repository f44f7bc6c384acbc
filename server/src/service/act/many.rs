//! Many new files in one act: a statement for some hundred rows of a table where each file alone would take one, and the same
//! rows in the end.

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::{Act, Written, written};
use crate::catalog::changes::{self, Actor, NewChange, Side};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes::{self, NewFile, Node};
use crate::catalog::ops::{self, NewOp};
use crate::catalog::versions::{self, NewVersion};
use crate::domain::stat::Stat;
use crate::error::{Error, Result};
use crate::store::Blob;

/// A content and the file that is made of it.
#[derive(Debug, Clone, Copy)]
pub struct NewContent<'a> {
    /// Internal key of its folder.
    pub folder: i64,
    /// Its path.
    pub path: &'a DrivePath,
    /// The staged and durable content.
    pub blob: &'a Blob,
}

impl Act<'_> {
    /// As [`Act::put`] for each of them in their order, each a change and an action of its own. To be called where no node,
    /// live or dead, ever had one of the names, no name comes twice, nothing in the drive is locked, and no checksums are
    /// to be kept.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn put_new(&mut self, contents: &[NewContent<'_>], reason: &str) -> Result<Vec<Written>> {
        let (drive, now, first) = (self.drive.id, self.actor.now, self.head + 1);
        let mut files = Vec::with_capacity(contents.len());
        for content in contents {
            let name = content.path.name().ok_or_else(|| Error::conflict("the drive's root is no file"))?;
            let NewContent { folder, blob, .. } = *content;
            let (seq, hash, slot) = (self.next(), blob.hash, blob.slot);
            let stat = Stat { size: blob.size, ..blob.stat };
            files.push(NewFile { parent_id: folder, name, seq, hash, stat, slot });
        }
        let mut made = nodes::insert_files(self.tx, drive, &files, now).await?;
        let versions: Vec<NewVersion<'_>> = made
            .iter()
            .zip(contents)
            .map(|(node, content)| {
                self.new_version((node.id, node.last_version), content.path, content.blob, reason)
            })
            .collect();
        let versions = versions::insert_all(self.tx, &versions).await?;
        nodes::set_first_versions(self.tx, drive, first, self.head).await?;
        for (node, version) in made.iter_mut().zip(&versions) {
            node.current_version_id = Some(*version);
        }
        self.record_new(&made, contents, &versions, reason).await?;
        Ok(made.into_iter().map(|node| Written { seq: node.seq, node, created: true }).collect())
    }

    /// What is to be placed, the drive's history, and the activity log.
    async fn record_new(
        &mut self,
        made: &[Node],
        contents: &[NewContent<'_>],
        versions: &[i64],
        reason: &str,
    ) -> Result<()> {
        let ops: Vec<NewOp> = made
            .iter()
            .zip(contents)
            .zip(versions)
            .map(|((node, content), version)| self.put_op(node, *version, content.path, content.blob))
            .collect();
        ops::insert_all(self.tx, &ops).await?;
        let actors: Vec<Actor> =
            made.iter().map(|_| Actor { action: Uuid::new_v4(), ..self.actor }).collect();
        let nothing = Side::default();
        let changes: Vec<NewChange<'_>> = made
            .iter()
            .zip(&actors)
            .map(|(new, actor)| NewChange { seq: new.seq, kind: "add", actor, old: &nothing, new })
            .collect();
        changes::insert_all(self.tx, self.drive.id, &changes).await?;
        let events: Vec<NewEvent> = contents
            .iter()
            .map(|content| self.event("file-created", content.path, &written(content.blob, reason)))
            .collect();
        events::add_all(self.tx, events).await
    }
}

//! What other programs did to a drive's folder, taken into the catalogue (promise P4; algorithms A, Adopt).
//!
//! These are acts like any other, but nobody's: there is nothing to place, since the disk is so already.

use holdfast_protocol::{ContentHash, DrivePath};

use super::act::{Act, StagedFolder};
use crate::catalog::changes::Side;
use crate::catalog::nodes::{self, Content, NewNode, Node};
use crate::catalog::ops::{self, NewOp};
use crate::catalog::versions::{self, NewVersion};
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Result};

/// The reason of versions that another program made (003-23).
pub const EXTERNAL: &str = "external";

impl Act<'_> {
    /// A file that another program put into a folder.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_file(
        &mut self,
        folder: &Node,
        path: &DrivePath,
        hash: ContentHash,
        stat: &Stat,
    ) -> Result<Node> {
        let name = path.name().ok_or_else(|| Error::internal("a file without a name"))?;
        let seq = self.next();
        let node = self.file_to_fill(folder, name, stat.ident, seq).await?;
        let old = if node.current_version_id.is_none() { Side::default() } else { Side::from(&node) };
        self.set_external(&node, path, hash, stat, seq).await?;
        let node = self.record(seq, "add", &old, node.id).await?;
        self.log("file-created", path, &[("hash", hash.to_string()), ("reason", EXTERNAL.to_owned())])
            .await?;
        Ok(node)
    }

    /// A file whose content another program replaced or edited in place: what was there before is gone.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_content(
        &mut self,
        node: &Node,
        path: &DrivePath,
        hash: ContentHash,
        stat: &Stat,
    ) -> Result<()> {
        if node.content_hash() == Some(hash) {
            nodes::set_stat(self.tx, node.id, stat).await?;
            if let Some(version) = node.current_version_id {
                versions::set_ident(self.tx, version, stat.ident).await?;
            }
            return self.found_again(node).await;
        }
        let seq = self.next();
        if let Some(version) = node.current_version_id {
            versions::set_lost(self.tx, version).await?;
        }
        self.set_external(node, path, hash, stat, seq).await?;
        self.record(seq, "modify", &Side::from(node), node.id).await?;
        self.log("file-changed", path, &[("hash", hash.to_string()), ("reason", EXTERNAL.to_owned())]).await
    }

    /// What a recovery missed is there again.
    async fn found_again(&mut self, node: &Node) -> Result<()> {
        if node.state == "missing" {
            nodes::set_state(self.tx, node.id, "live", None).await?;
        }
        Ok(())
    }

    /// A folder that another program replaced by one of the same name, as a copy or a restored backup: it is the node's
    /// from now on, also in ops that were committed before that was known, or a move of it would look for the old one.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_identity(&mut self, folder: &Node, ident: Ident) -> Result<()> {
        nodes::set_ident(self.tx, folder.id, ident).await?;
        ops::set_ident_of_node(self.tx, folder.id, ident).await?;
        self.found_again(folder).await
    }

    async fn set_external(
        &mut self,
        node: &Node,
        path: &DrivePath,
        hash: ContentHash,
        stat: &Stat,
        seq: i64,
    ) -> Result<()> {
        let number = node.last_version + 1;
        let version = self.external_version(Some(node), number, path, hash, stat, None).await?;
        let content = Content {
            hash,
            size: stat.size.cast_signed(),
            mtime_ns: stat.mtime_ns,
            ident: stat.ident,
            version,
            number,
            slot: None,
        };
        nodes::set_content(self.tx, node, seq, &content, self.actor.now).await.map(drop)
    }

    /// A content of another program that is kept in a slot, not current.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn keep_external(
        &mut self,
        node: Option<&Node>,
        path: &DrivePath,
        hash: ContentHash,
        stat: &Stat,
        slot: uuid::Uuid,
    ) -> Result<i64> {
        let number = node.map_or(1, |node| node.last_version + 1);
        let version = self.external_version(node, number, path, hash, stat, Some(slot)).await?;
        if let Some(node) = node {
            nodes::set_last_version(self.tx, node.id, number).await?;
        }
        self.log("external-content-kept", path, &[("hash", hash.to_string())]).await?;
        Ok(version)
    }

    async fn external_version(
        &mut self,
        node: Option<&Node>,
        number: i64,
        path: &DrivePath,
        hash: ContentHash,
        stat: &Stat,
        slot: Option<uuid::Uuid>,
    ) -> Result<i64> {
        let new = NewVersion {
            drive_id: self.drive.id,
            node_id: node.map(|node| node.id),
            n: Some(number),
            path: path.as_str(),
            hash,
            size: stat.size.cast_signed(),
            mtime_ns: stat.mtime_ns,
            ident: stat.ident,
            origin: None,
            slot,
            sealed: slot.is_some(),
            reason: EXTERNAL,
            now: self.actor.now,
            created_by: None,
            device_id: None,
        };
        versions::insert(self.tx, &new).await
    }

    /// A folder that another program made.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_folder(&mut self, parent: &Node, path: &DrivePath, stat: &Stat) -> Result<Node> {
        let name = path.name().ok_or_else(|| Error::internal("a folder without a name"))?;
        let seq = self.next();
        let new = NewNode {
            drive_id: self.drive.id,
            parent_id: parent.id,
            name,
            kind: "folder",
            seq,
            ident: stat.ident,
            mtime_ns: stat.mtime_ns,
            slot: None,
            now: self.actor.now,
        };
        let node = nodes::insert(self.tx, &new).await?;
        self.record_as(seq, "add", &Side::default(), &node).await?;
        self.log("folder-created", path, &[("reason", EXTERNAL.to_owned())]).await?;
        Ok(node)
    }

    /// A file or folder that another program removed: its current contents are gone, what is in slots stays.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_death(&mut self, node: &Node, path: &DrivePath) -> Result<()> {
        versions::set_lost_beneath(self.tx, node.id).await?;
        let seq = self.next();
        nodes::set_dead(self.tx, node.id, seq, None, self.actor.now).await?;
        self.record(seq, "delete", &Side::from(node), node.id).await?;
        let kind = if node.is_folder() { "folder-deleted" } else { "file-deleted" };
        self.log(kind, path, &[("reason", EXTERNAL.to_owned())]).await
    }

    /// A folder that another program removed while something beneath it waits to be placed: it is made again, out of
    /// one that was staged, for whoever removed it has not seen that.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn make_again(&mut self, node: &Node, path: &DrivePath, staged: StagedFolder) -> Result<()> {
        let parent = node.parent_id.ok_or_else(|| Error::internal("the root was removed"))?;
        let seq = self.next();
        nodes::remember_name(self.tx, node, seq).await?;
        let slot = Some(staged.slot);
        nodes::set_place(self.tx, node.id, seq, parent, &node.name, slot, self.actor.now).await?;
        nodes::set_ident(self.tx, node.id, staged.stat.ident).await?;
        let op = NewOp {
            uuid: staged.slot,
            drive_id: self.drive.id,
            seq,
            kind: "mkdir",
            node_id: node.id,
            version_id: None,
            path: path.as_str().to_owned(),
            dst: None,
            ident: staged.stat.ident,
            hash: None,
            displaced: None,
            now: self.actor.now,
        };
        ops::insert(self.tx, &op).await?;
        self.record(seq, "restore", &Side::from(node), node.id).await?;
        self.log("folder-restored", path, &[("reason", EXTERNAL.to_owned())]).await
    }

    /// A file or folder that another program moved, told by its inode.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_move(
        &mut self,
        node: &Node,
        folder: &Node,
        from: &DrivePath,
        to: &DrivePath,
    ) -> Result<()> {
        let name = to.name().ok_or_else(|| Error::internal("a move without a name"))?;
        let seq = self.next();
        nodes::remember_name(self.tx, node, seq).await?;
        nodes::set_place(self.tx, node.id, seq, folder.id, name, None, self.actor.now).await?;
        self.record(seq, "move", &Side::from(node), node.id).await?;
        self.log("moved", to, &[("from", from.to_string()), ("reason", EXTERNAL.to_owned())]).await
    }

    /// A folder of another program that a placement displaced into a slot: known as deleted, so it can be restored.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn adopt_displaced_folder(
        &mut self,
        parent: &Node,
        path: &DrivePath,
        stat: &Stat,
        slot: uuid::Uuid,
    ) -> Result<i64> {
        let name = path.name().ok_or_else(|| Error::internal("a folder without a name"))?;
        let seq = self.next();
        let new = NewNode {
            drive_id: self.drive.id,
            parent_id: parent.id,
            name,
            kind: "folder",
            seq,
            ident: stat.ident,
            mtime_ns: stat.mtime_ns,
            slot: Some(slot),
            now: self.actor.now,
        };
        let id = nodes::insert_dead(self.tx, &new).await?;
        self.record(seq, "delete", &Side::default(), id).await?;
        self.log("folder-deleted", path, &[("reason", EXTERNAL.to_owned())]).await?;
        Ok(id)
    }
}

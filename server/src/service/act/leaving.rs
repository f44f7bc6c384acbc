//! What leaves its place by an act: deleted, moved, replaced, or brought back.

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::Act;
use crate::catalog::changes::Side;
use crate::catalog::nodes::{self, Node};
use crate::catalog::ops::{self, Displaced, NewOp};
use crate::catalog::versions;
use crate::error::{Error, Result};
use crate::service::placement::{self, take_over};
use crate::store::{Phys, new_slot};

impl Act<'_> {
    /// Says where a node's content will lie once an op has displaced it into `slot`: returns what that op displaces, and
    /// where it lies then. What is unplaced cannot be displaced from its path: in a slot it stays where it is, and from
    /// elsewhere in the tree an op of its own takes it. Its parked placement is void. To be called before the act's own
    /// sequence is taken: a drive's head is a change, not such an op.
    pub(super) async fn displace(
        &mut self,
        node: &Node,
        slot: Uuid,
    ) -> Result<(Option<(Option<i64>, Displaced)>, Option<Uuid>)> {
        let stat = Displaced { ident: node.ident(), size: node.size, mtime_ns: node.mtime_ns };
        let content = (node.current_version_id, stat);
        let (displaced, slot) = if node.state != "unplaced" {
            (Some(content), Some(slot))
        } else if let Some(from) = take_over(self.tx, node, self.actor.now).await? {
            let seq = self.next();
            (None, Some(self.put_away(node, from, new_slot(), seq, content).await?))
        } else {
            (None, node.slot)
        };
        if let Some(version) = node.current_version_id {
            versions::set_slot(self.tx, version, slot).await?;
        }
        Ok((displaced, slot))
    }

    /// Has what lies at a path put into a slot.
    async fn put_away(
        &mut self,
        node: &Node,
        from: String,
        slot: Uuid,
        seq: i64,
        content: (Option<i64>, Displaced),
    ) -> Result<Uuid> {
        if node.is_folder() {
            ops::go_along(self.tx, self.drive.id, &from, Phys::slot(slot).as_str()).await?;
        }
        let op = NewOp {
            uuid: slot,
            drive_id: self.drive.id,
            seq,
            kind: "del",
            node_id: node.id,
            version_id: None,
            path: from,
            dst: None,
            ident: node.ident(),
            hash: None,
            displaced: Some(content),
            now: self.actor.now,
        };
        ops::insert(self.tx, &op).await?;
        Ok(slot)
    }

    /// Where a placed node lies: at its path, unless a folder above it waits elsewhere to be moved there.
    async fn lies_at(&mut self, node: &Node) -> Result<String> {
        let lineage = nodes::lineage(self.tx, node.id).await?;
        Ok(placement::lies_at(self.tx, &lineage).await?.as_str().to_owned())
    }

    /// Deletes a live node, a folder with all beneath it: it goes into a slot and can be restored from there.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn delete(&mut self, node: &Node, path: &DrivePath) -> Result<i64> {
        self.may_take_away(node).await?;
        let slot = new_slot();
        let (displaced, lies_in) = self.displace(node, slot).await?;
        let seq = self.next();
        if let Some(content) = displaced {
            let from = self.lies_at(node).await?;
            self.put_away(node, from, slot, seq, content).await?;
        }
        nodes::set_dead(self.tx, node.id, seq, lies_in, self.actor.now).await?;
        self.record(seq, "delete", &Side::from(node), node.id).await?;
        let kind = if node.is_folder() { "folder-deleted" } else { "file-deleted" };
        self.log(kind, path, &[]).await?;
        Ok(seq)
    }

    /// Moves a live node to a path whose folder is there. A live file or empty folder at the target is replaced.
    ///
    /// # Errors
    /// Conflict when the target lies beneath the node.
    pub async fn rename(
        &mut self,
        node: &Node,
        from: &DrivePath,
        to: &DrivePath,
        folder: &Node,
    ) -> Result<i64> {
        if to.is_beneath(from) || to == from {
            return Err(Error::conflict("a folder cannot be moved into itself"));
        }
        let name =
            to.name().ok_or_else(|| Error::conflict("nothing can take the place of the drive's root"))?;
        self.may_take_away(node).await?;
        self.may_add_to(folder.id).await?;
        self.may_be_called(folder.id, name, Some(node.id)).await?;
        let op_id = new_slot();
        let mut displaced = None;
        if let Some(target) = nodes::child(self.tx, folder.id, name).await? {
            if target.is_folder() || node.is_folder() || node.state == "unplaced" {
                self.delete(&target, to).await?;
            } else {
                displaced = self.replace(&target, op_id, to).await?;
            }
        }
        let waits_in_slot = node.state == "unplaced" && node.slot.is_some();
        let lies = if node.state == "unplaced" && !waits_in_slot {
            take_over(self.tx, node, self.actor.now).await?.unwrap_or_else(|| from.as_str().to_owned())
        } else {
            self.lies_at(node).await?
        };
        let seq = self.next();
        nodes::remember_name(self.tx, node, seq).await?;
        nodes::set_place(self.tx, node.id, seq, folder.id, name, node.slot, self.actor.now).await?;
        if waits_in_slot {
            nodes::set_state(self.tx, node.id, "unplaced", node.slot).await?;
        } else if node.state == "missing" {
            // It is not known to be anywhere: a new name does not change that.
            nodes::set_state(self.tx, node.id, "missing", None).await?;
        } else if lies != to.as_str() {
            if node.is_folder() {
                ops::go_along(self.tx, self.drive.id, &lies, to.as_str()).await?;
            }
            let op = NewOp {
                uuid: op_id,
                drive_id: self.drive.id,
                seq,
                kind: if displaced.is_some() { "mvover" } else { "mv" },
                node_id: node.id,
                version_id: None,
                path: lies,
                dst: Some(to.as_str().to_owned()),
                ident: node.ident(),
                hash: None,
                displaced,
                now: self.actor.now,
            };
            ops::insert(self.tx, &op).await?;
        }
        self.record(seq, "move", &Side::from(node), node.id).await?;
        self.log("moved", to, &[("from", from.to_string())]).await?;
        Ok(seq)
    }

    /// The death of a file that a move replaces: one op does both, so the name is never absent.
    async fn replace(
        &mut self,
        target: &Node,
        op: Uuid,
        path: &DrivePath,
    ) -> Result<Option<(Option<i64>, Displaced)>> {
        self.may_take_away(target).await?;
        let (displaced, lies_in) = self.displace(target, op).await?;
        let seq = self.next();
        nodes::set_dead(self.tx, target.id, seq, lies_in, self.actor.now).await?;
        self.record(seq, "delete", &Side::from(target), target.id).await?;
        self.log("file-deleted", path, &[("by", "move".to_owned())]).await?;
        Ok(displaced)
    }

    /// Brings a deleted folder back out of its slot to a path whose folder is there and where nothing stands.
    ///
    /// # Errors
    /// Conflict when the folder lies in no slot.
    pub async fn revive_folder(&mut self, dead: &Node, to: &DrivePath, folder: &Node) -> Result<i64> {
        let slot = dead.slot.ok_or_else(|| Error::conflict("the deleted folder is no longer kept"))?;
        let name =
            to.name().ok_or_else(|| Error::conflict("nothing can take the place of the drive's root"))?;
        self.may_add_to(folder.id).await?;
        self.may_be_called(folder.id, name, Some(dead.id)).await?;
        let mut lies = Phys::slot(slot).as_str().to_owned();
        for parked in ops::parked_of(self.tx, dead.id).await? {
            // It has not reached its slot yet.
            if parked.kind == "del" && parked.uuid == slot {
                ops::delete(self.tx, parked.id).await?;
                lies = parked.path;
            }
        }
        let seq = self.next();
        nodes::remember_name(self.tx, dead, dead.seq).await?;
        nodes::set_place(self.tx, dead.id, seq, folder.id, name, None, self.actor.now).await?;
        let op = NewOp {
            uuid: Uuid::new_v4(),
            drive_id: self.drive.id,
            seq,
            kind: "mv",
            node_id: dead.id,
            version_id: None,
            path: lies,
            dst: Some(to.as_str().to_owned()),
            ident: dead.ident(),
            hash: None,
            displaced: None,
            now: self.actor.now,
        };
        ops::insert(self.tx, &op).await?;
        self.record(seq, "restore", &Side::from(dead), dead.id).await?;
        self.log("folder-restored", to, &[]).await?;
        Ok(seq)
    }
}

//! What a request brings along for the locks in its way: tokens, and the conditions of the header `If`
//! (RFC 4918, section 10.4). Both are looked at in the transaction of the act.

use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use crate::catalog::locks::{self, Lock};
use crate::catalog::nodes::{self, Node};
use crate::catalog::tree;
use crate::domain::locks::{Held, Touch, in_the_way};
use crate::error::{Error, Kind, Result};
use crate::service::act::Act;

/// What a request says about locks; the default says nothing, and then every lock is in the way.
#[derive(Debug, Clone, Default)]
pub struct Guard(Option<Arc<Said>>);

#[derive(Debug)]
struct Said {
    tokens: Vec<Uuid>,
    lists: Vec<List>,
}

/// One list of the header `If`: it holds when each of its conditions does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What it is about.
    pub resource: Resource,
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// What a list is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A path in the drive of the request.
    Here(DrivePath),
    /// Something that this drive does not hold: nothing is known of it.
    Elsewhere,
}

/// A condition on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// It must not hold.
    pub not: bool,
    /// What is asked.
    pub item: Item,
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// It is locked with this token; `None`: a token that none of ours can be.
    Token(Option<Uuid>),
    /// It has this entity tag, as sent in `ETag`.
    Tag(String),
}

impl Guard {
    /// What the lists of a header `If` say. Every token in them counts as sent, negated or not (RFC 4918, section 10.4.1).
    pub fn new(lists: Vec<List>) -> Self {
        if lists.is_empty() {
            return Self::default();
        }
        let items = lists.iter().flat_map(|list| &list.conditions);
        let tokens = items
            .filter_map(|condition| match condition.item {
                Item::Token(token) => token,
                Item::Tag(_) => None,
            })
            .collect();
        Self(Some(Arc::new(Said { tokens, lists })))
    }

    /// The tokens of locks that a request holds, without any condition.
    pub fn holding(tokens: Vec<Uuid>) -> Self {
        if tokens.is_empty() {
            Self::default()
        } else {
            Self(Some(Arc::new(Said { tokens, lists: Vec::new() })))
        }
    }

    /// The tokens that were sent.
    pub fn tokens(&self) -> &[Uuid] {
        self.0.as_ref().map(|said| said.tokens.as_slice()).unwrap_or_default()
    }

    /// Whether a request has conditions, which are looked at before each of its acts.
    pub(in crate::service) fn has_conditions(&self) -> bool {
        !self.lists().is_empty()
    }

    fn lists(&self) -> &[List] {
        self.0.as_ref().map(|said| said.lists.as_slice()).unwrap_or_default()
    }
}

impl Act<'_> {
    /// Goes on with what the request said about locks.
    ///
    /// # Errors
    /// 412 when it has conditions and none of its lists holds.
    pub async fn guarded(&mut self, guard: &Guard) -> Result<()> {
        self.tokens = guard.tokens().to_vec();
        if guard.lists().is_empty() {
            return Ok(());
        }
        for list in guard.lists() {
            if self.list_holds(list).await? {
                return Ok(());
            }
        }
        Err(Error::precondition("no list of the header If holds"))
    }

    async fn list_holds(&mut self, list: &List) -> Result<bool> {
        let node = match &list.resource {
            Resource::Here(path) => self.resolve(path).await?.node,
            Resource::Elsewhere => None,
        };
        for condition in &list.conditions {
            let is = match (&node, &condition.item) {
                (None, _) | (_, Item::Token(None)) => false,
                (Some(node), Item::Token(Some(token))) => self.is_locked_by(node.id, *token).await?,
                (Some(node), Item::Tag(tag)) => tag_of(node).as_ref() == Some(tag),
            };
            if is == condition.not {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_locked_by(&mut self, node: i64, token: Uuid) -> Result<bool> {
        let found = locks::on_lineage(self.tx, node, self.actor.now).await?;
        Ok(found.iter().any(|lock| lock.uuid == token && (lock.deep || lock.node_id == node)))
    }

    /// Whether locks let a file's content or properties be changed.
    ///
    /// # Errors
    /// 423.
    pub async fn may_change(&mut self, node: &Node) -> Result<()> {
        self.may(Touch { node: Some(node.id), member_of: None }, node.id, None).await
    }

    /// Whether locks let a folder gain a member.
    ///
    /// # Errors
    /// 423.
    pub async fn may_add_to(&mut self, folder: i64) -> Result<()> {
        self.may(Touch { node: None, member_of: Some(folder) }, folder, None).await
    }

    /// Whether locks let something go from where it is, with all that lies beneath it. What goes loses its locks.
    ///
    /// # Errors
    /// 423.
    pub async fn may_take_away(&mut self, node: &Node) -> Result<()> {
        let within = node.is_folder().then_some(node.id);
        self.may(Touch { node: Some(node.id), member_of: node.parent_id }, node.id, within).await?;
        if !self.has_locks().await? {
            return Ok(());
        }
        let (drive, now) = (self.drive.id, self.actor.now);
        let mut gone = locks::on_lineage(self.tx, node.id, now).await?;
        gone.retain(|lock| lock.node_id == node.id);
        gone.extend(locks::beneath(self.tx, drive, node.id, now).await?);
        for lock in gone {
            locks::delete(self.tx, lock.id).await?;
        }
        Ok(())
    }

    async fn may(&mut self, touch: Touch, from: i64, within: Option<i64>) -> Result<()> {
        // What another program did on the disk is done; no lock of ours can keep it from having happened.
        if self.actor.user_id.is_none() || !self.has_locks().await? {
            return Ok(());
        }
        let (drive, now) = (self.drive.id, self.actor.now);
        let above = locks::on_lineage(self.tx, from, now).await?;
        let beneath = match within {
            Some(folder) => locks::beneath(self.tx, drive, folder, now).await?,
            None => Vec::new(),
        };
        let above: Vec<Held> = above.iter().map(|lock| self.held(lock)).collect();
        let beneath: Vec<Held> = beneath.iter().map(|lock| self.held(lock)).collect();
        match in_the_way(touch, &above, &beneath) {
            None => Ok(()),
            Some(held) => {
                let node = held.node;
                let path = tree::path_of(&nodes::lineage(self.tx, node).await?).0;
                Err(Error::new(Kind::Locked, "it is locked").code("locked").with("path", path.to_string()))
            }
        }
    }

    fn held(&self, lock: &Lock) -> Held {
        let presented = Some(lock.user_id) == self.actor.user_id && self.tokens.contains(&lock.uuid);
        Held { node: lock.node_id, deep: lock.deep, shared: lock.shared, presented }
    }

    /// Whether anything in the drive is locked.
    ///
    /// # Errors
    /// The catalogue's.
    pub(in crate::service) async fn has_locks(&mut self) -> Result<bool> {
        if let Some(known) = self.has_locks {
            return Ok(known);
        }
        let any = locks::any(self.tx, self.drive.id, self.actor.now).await?;
        self.has_locks = Some(any);
        Ok(any)
    }
}

fn tag_of(node: &Node) -> Option<String> {
    node.content_hash().map(|hash| format!("\"{hash}\""))
}

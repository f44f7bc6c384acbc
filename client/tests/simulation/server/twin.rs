//! The server in memory and the real catalogue side by side: each request goes to both, and whatever they say or hold that
//! is not the same is a fault. Ids are those of the one in memory, so that a schedule is the same on either.

use std::collections::BTreeMap;
use std::mem::discriminant;

use holdfast_client::agent::Feed;
use holdfast_client::agent::trees::{NodeId, RemoteNode, RemoteTree, State};
use holdfast_protocol::ContentHash;
use holdfast_protocol::feed::{FeedNode, NodeState};
use uuid::Uuid;

use super::real::{self, Real};
use super::{Became, Deed, Memory, Server};

/// So many nodes of the feed at once after each act: few, so that there are pages.
const PAGE: usize = 3;
/// Once in so many acts everything is compared.
const ALL: u64 = 20;

/// Both.
pub struct Twin {
    memory: Memory,
    real: Real,
    /// Which node of the one in memory it is.
    ids: BTreeMap<Uuid, NodeId>,
    others: BTreeMap<NodeId, Uuid>,
    /// Token of the last change that was compared, and its sequence.
    seen: (String, i64),
    acts: u64,
    fault: Option<String>,
}

impl Twin {
    pub fn new(real: Real) -> Self {
        let token = real.feed(None, 1).token.to_string();
        Self {
            memory: Memory::default(),
            real,
            ids: BTreeMap::new(),
            others: BTreeMap::new(),
            seen: (token, 0),
            acts: 0,
            fault: None,
        }
    }

    fn differs(&mut self, what: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(format!("the catalogue differs: {}", what()));
        }
    }

    /// Takes two nodes for one, or finds that they are not.
    fn is_one(&mut self, real: Uuid, memory: NodeId) -> bool {
        *self.ids.entry(real).or_insert(memory) == memory
            && *self.others.entry(memory).or_insert(real) == real
    }

    fn compare_answer(
        &mut self,
        deed: &Deed,
        memory: &Became,
        real: &holdfastd::error::Result<real::Became>,
    ) {
        let same = match (memory, real) {
            (Ok(memory), Ok(real)) => match (memory, real.node) {
                (Some(memory), Some(real)) => self.is_one(real, *memory),
                (None, None) => true,
                _ => false,
            },
            (Err(memory), Err(real)) => discriminant(memory) == discriminant(&real::trouble(real)),
            _ => false,
        };
        if !same {
            self.differs(|| format!("{deed:?}\n  in memory: {memory:?}\n  catalogue: {real:?}"));
        }
    }

    fn told(&self, node: &FeedNode) -> RemoteNode {
        let id_of = |id: &Uuid| self.ids.get(id).copied().unwrap_or(*id);
        RemoteNode {
            id: id_of(&node.id),
            parent: Some(node.parent.as_ref().map_or(RemoteTree::ROOT, id_of)),
            name: node.name.clone(),
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
        }
    }

    /// Whether both tell the same nodes. Those that no answer named get to know each other.
    fn compare_nodes(&mut self, what: &str, memory: &[RemoteNode], real: &[FeedNode]) {
        for (one, other) in memory.iter().zip(real) {
            let is_one = self.is_one(other.id, one.id);
            if !is_one || self.told(other) != *one {
                let other = self.told(other);
                return self.differs(|| format!("{what}\n  in memory: {one:?}\n  catalogue: {other:?}"));
            }
        }
        if memory.len() != real.len() {
            self.differs(|| format!("{what}\n  in memory: {memory:?}\n  catalogue: {real:?}"));
        }
    }

    /// What has changed since this was asked last, in pages.
    fn compare_changes(&mut self) {
        loop {
            let (token, seq) = self.seen.clone();
            let (memory, more) = self.memory.after(seq, PAGE, true);
            let real = self.real.feed(Some(token), PAGE);
            self.compare_nodes("what has changed", &memory, &real.changes);
            if real.more != more || real.reset {
                self.differs(|| format!("more: {more}, {}; reset: {}", real.more, real.reset));
            }
            let seq = memory.last().filter(|_| more).map_or(self.memory.head(), |node| node.seq);
            self.seen = (real.token.to_string(), seq);
            if !more || self.fault.is_some() {
                return;
            }
        }
    }

    /// The tree, the trash and every history.
    fn compare_all(&mut self) {
        let ids = |twin: &Self, id: &Uuid| twin.ids.get(id).copied().unwrap_or(*id);
        let real: BTreeMap<String, (NodeId, Option<ContentHash>)> =
            self.real.tree().into_iter().map(|(path, id, hash)| (path, (ids(self, &id), hash))).collect();
        let memory = self.memory.tree().into_iter().map(|(path, hash)| {
            let id = self.memory.find(&path).unwrap_or_default();
            (path, (id, hash))
        });
        let memory: BTreeMap<String, (NodeId, Option<ContentHash>)> = memory.collect();
        if real != memory {
            self.differs(|| format!("the tree\n  in memory: {memory:?}\n  catalogue: {real:?}"));
        }
        let real: Vec<NodeId> = self.real.trash().iter().map(|id| ids(self, id)).collect();
        let memory = self.memory.trash();
        if real != memory {
            self.differs(|| format!("the trash\n  in memory: {memory:?}\n  catalogue: {real:?}"));
        }
        for id in self.others.keys().copied().collect::<Vec<_>>() {
            self.history(id);
        }
    }

    fn compared(&mut self) {
        self.compare_changes();
        self.acts += 1;
        if self.acts.is_multiple_of(ALL) && self.fault.is_none() {
            self.compare_all();
        }
    }
}

impl Server for Twin {
    fn acts(&mut self, deeds: &[Deed]) -> Vec<Became> {
        let real = match deeds {
            [Deed::Restore(id)] => {
                let other = self.others.get(id).copied().unwrap_or(*id);
                vec![self.real.restore(other)]
            }
            [Deed::GoBack(id, back)] => {
                let other = self.others.get(id).copied().unwrap_or(*id);
                vec![self.real.go_back(other, *back)]
            }
            deeds => self.real.batch(deeds, false),
        };
        let memory = self.memory.acts(deeds);
        for ((deed, memory), real) in deeds.iter().zip(&memory).zip(&real) {
            self.compare_answer(deed, memory, real);
        }
        self.compared();
        memory
    }

    fn dies(&mut self, deeds: &[Deed]) {
        let is_batch = |deed: &Deed| !matches!(deed, Deed::Restore(_) | Deed::GoBack(..));
        if deeds.iter().all(is_batch) {
            self.real.batch(deeds, true);
        }
        self.compared();
    }

    fn feed(&mut self, since: Option<&str>, limit: usize) -> Feed {
        let (memory, real) = since.and_then(|token| token.split_once('|')).unzip();
        let mut one = self.memory.feed(memory, limit);
        // A token of an earlier epoch is one that the catalogue never made.
        let real = real.map(|token| match one.reset {
            true if memory.is_some_and(|memory| !self.memory.is_of_now(memory)) => Uuid::nil().to_string(),
            _ => token.to_owned(),
        });
        let other = self.real.feed(real, limit);
        if (one.more, one.reset) != (other.more, other.reset) {
            let said = |more, reset| format!("more {more}, reset {reset}");
            let (a, b) = (said(one.more, one.reset), said(other.more, other.reset));
            self.differs(|| format!("the feed since {since:?}\n  in memory: {a}\n  catalogue: {b}"));
        }
        self.compare_nodes("the feed", &one.changes, &other.changes);
        one.token = format!("{}|{}", one.token, other.token);
        one
    }

    fn history(&mut self, id: NodeId) -> Vec<ContentHash> {
        let memory = self.memory.history(id);
        if let Some(&other) = self.others.get(&id) {
            match self.real.history(other) {
                Ok(real) if real == memory => {}
                real => {
                    self.differs(|| {
                        format!("the history of {id}\n  in memory: {memory:?}\n  catalogue: {real:?}")
                    });
                }
            }
        }
        memory
    }

    fn look(&mut self, path: &str) -> Option<(NodeId, ContentHash)> {
        let memory = self.memory.look(path);
        let real = self.real.look(path).map(|(id, hash)| (self.ids.get(&id).copied().unwrap_or(id), hash));
        if real != memory {
            self.differs(|| format!("what is at {path}\n  in memory: {memory:?}\n  catalogue: {real:?}"));
        }
        memory
    }

    fn forget(&mut self) {
        self.memory.forget();
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    fn check(&mut self) -> Result<(), String> {
        self.memory.check()?;
        self.compare_all();
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if let Some(lost) = self.memory.contents().find(|hash| !self.real.keeps(**hash)) {
            return Err(format!("{lost} is in no version of the catalogue"));
        }
        match self.real.faults().first() {
            Some(fault) => Err(format!("in the catalogue: {fault}")),
            None => Ok(()),
        }
    }
}

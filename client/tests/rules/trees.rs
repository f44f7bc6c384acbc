//! Three trees in the making, and what a plan for them says.

use holdfast_client::agent::ignore::Ignore;
use holdfast_client::agent::plan::LeftOut;
use holdfast_client::agent::trees::{
    BaseRow, BaseTree, LocalTree, Look, NodeId, RemoteNode, RemoteTree, State, What,
};
use holdfast_client::agent::{Plan, Settings, Step, plan};
use holdfast_disk::Hasher;
use holdfast_protocol::{ContentHash, Kind};

pub fn hash(text: &str) -> ContentHash {
    let mut hasher = Hasher::new();
    hasher.update(text.as_bytes());
    hasher.finish()
}

pub fn id(n: u128) -> NodeId {
    NodeId::from_u128(n)
}

pub fn look(n: u64) -> Look {
    Look { ino: n, btime_ns: 1, size: 1, mtime_ns: 1, ctime_ns: 1 }
}

/// Three trees in the making.
pub struct Trees {
    pub remote: RemoteTree,
    pub base: BaseTree,
    pub local: LocalTree,
    pub settings: Settings,
}

impl Trees {
    pub fn new() -> Self {
        let settings = Settings {
            device: "laptop".to_owned(),
            time: "2026-11-20 14.05".to_owned(),
            ..Settings::default()
        };
        let (remote, base, local) = (RemoteTree::default(), BaseTree::default(), LocalTree::new(look(1)));
        Self { remote, base, local, settings }
    }

    /// With an ignore file.
    pub fn ignoring(rules: &str) -> Self {
        let (ignore, wrong) = Ignore::read(rules.as_bytes(), false);
        assert!(wrong.is_empty(), "{wrong:?}");
        Self { local: LocalTree::ignoring(look(1), ignore), ..Self::new() }
    }

    pub fn leave_out(&mut self, n: u128, path: &str, keep: bool) {
        self.settings.left_out.push(LeftOut { id: id(n), path: path.to_owned(), keep });
    }

    /// An agreed file or folder, as it was.
    pub fn still_here(&mut self, n: u64, parent: usize, name: &str, content: Option<&str>) -> usize {
        let what = content.map_or(What::Folder, |content| What::File(Some(hash(content))));
        self.here(parent, name, what, n + 100)
    }

    pub fn node(&mut self, n: u128, parent: u128, name: &str, content: Option<&str>) -> RemoteNode {
        let kind = if content.is_some() { Kind::File } else { Kind::Folder };
        let node = RemoteNode {
            id: id(n),
            parent: Some(id(parent)),
            name: name.to_owned(),
            kind,
            state: State::Live,
            hash: content.map(hash),
            size: 1,
            mtime_ns: 1,
            seq: i64::try_from(n).unwrap(),
        };
        self.remote.take(node.clone());
        node
    }

    /// What both held: on the server and in the base.
    pub fn agreed(&mut self, n: u128, parent: u128, name: &str, content: Option<&str>) {
        let node = self.node(n, parent, name, content);
        let row = BaseRow {
            id: node.id,
            parent: id(parent),
            name: node.name,
            kind: node.kind,
            hash: node.hash,
            seq: Some(node.seq),
            look: Some(match node.kind {
                Kind::File => look(u64::try_from(n).unwrap() + 100),
                Kind::Folder => Look { ino: u64::try_from(n).unwrap() + 100, btime_ns: 1, ..Look::default() },
            }),
        };
        self.base.set(row);
    }

    pub fn here(&mut self, parent: usize, name: &str, what: What, ino: u64) -> usize {
        self.local.add(parent, name, what, look(ino))
    }

    pub fn plan(&self) -> Plan {
        plan(&self.remote, &self.base, &self.local, &[], &self.settings).unwrap()
    }
}

pub fn deletes(plan: &Plan) -> usize {
    plan.steps
        .iter()
        .filter(|step| matches!(step, Step::DeleteRemote { .. } | Step::DeleteLocal { .. }))
        .count()
}

/// What the steps are, in a word each.
pub fn told(plan: &Plan) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::Agree { .. } => "agree",
        Step::Forget { .. } => "forget",
        Step::MakeLocal { .. } => "make here",
        Step::MakeRemote { .. } => "make there",
        Step::MoveLocal { .. } => "move here",
        Step::MoveRemote { .. } => "move there",
        Step::DeleteLocal { .. } => "remove here",
        Step::DeleteRemote { .. } => "remove there",
        Step::Download { .. } => "receive",
        Step::Upload { .. } => "send",
    };
    plan.steps.iter().map(|step| format!("{} {}", word(step), step.key()).trim().to_owned()).collect()
}

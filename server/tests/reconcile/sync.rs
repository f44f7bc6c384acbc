//! What the model's server answers to manifests, and how it keeps and settles conflicts.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::manifest::{Claim, Claims, Manifest};
use holdfast_protocol::path::{ancestors, beneath};
use holdfast_protocol::path_map::PathMapBuilder;
use holdfast_protocol::plan::Plan;
use holdfast_protocol::{ContentHash, DrivePath, PathMap, Value};
use holdfastd::domain::names::conflict_copy;
use holdfastd::domain::reconcile::resolution::{Open, Outcome, Present, Resolution, Store, resolve};
use holdfastd::domain::reconcile::{self, Decision, Input, Rows, Sent, ServerNodes, Token, patch};

use crate::server::{Contested, Life, Server, map};

/// What a device sends.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    pub claims: BTreeMap<String, Claim>,
    pub token: Option<u64>,
    pub complete: bool,
    pub folders: bool,
    pub moves: bool,
    pub confirm: Option<String>,
}

impl Sending {
    fn manifest(&self) -> Manifest {
        Manifest {
            device_id: "device".to_owned(),
            drive: None,
            change_token: self.token.map(|token| token.to_string()),
            complete: Some(self.complete),
            folders: self.folders,
            moves: self.moves,
            confirm: self.confirm.clone(),
            claims: map(self.claims.iter()),
        }
    }
}

impl Server {
    // -- the five endpoints ---------------------------------------------------------------------------------------------

    /// Register with `"reset": true`.
    pub fn reset(&mut self, device: usize) {
        self.rows.remove(&device);
        self.tokens.remove(&device);
    }

    /// The plan and its token; `None` for "full list required".
    pub fn changes(&mut self, device: usize, sending: &Sending) -> Option<(Plan, u64)> {
        let current = self.tokens.get(&device).copied();
        let token = match sending.token {
            None => Token::Absent,
            Some(token) if current == Some(token) => Token::Current,
            Some(_) => Token::Outdated,
        };
        let manifest = sending.manifest();
        if manifest.is_delta() && token == Token::Outdated {
            return None;
        }
        let rows = map(self.rows.entry(device).or_default().iter());
        let patched = manifest.is_delta().then(|| patch::patched(&manifest.claims, &rows).unwrap());
        let claims = patched.as_ref().unwrap_or(&manifest.claims);
        let decision = self.decide(claims, &rows, Sent::new(&manifest, token));
        self.apply(device, &decision.rows);
        self.keep_conflicts(device, &decision);
        self.last_token += 1;
        self.tokens.insert(device, self.last_token);
        Some((decision.plan, self.last_token))
    }

    fn decide(&self, claims: &Claims, rows: &Rows, sent: Sent<'_>) -> Decision {
        let nodes = map(self.live.iter());
        let input =
            Input { claims, nodes: &nodes, rows, alike: 0, sent, guard: self.guard, unsyncable: None };
        let whole = self.ask_and_decide(&input);
        let (claims, nodes, rows, alike) = without_what_is_alike(&input);
        let part = Input { claims: &claims, nodes: &nodes, rows: &rows, alike, ..input };
        let part = self.ask_and_decide(&part);
        assert_eq!(whole.plan, part.plan, "what is alike may be left out");
        assert_eq!(whole.conflicts, part.conflicts);
        assert!(whole.rows.iter().eq(part.rows.iter()));
        whole
    }

    fn ask_and_decide(&self, input: &Input<'_>) -> Decision {
        let mut asked = reconcile::ask(input);
        for question in &mut asked {
            let lived = self.lived_at.get(question.path).into_iter().flatten().map(|id| self.life(*id));
            question.answer.kept = self.history(question.path).contains(&question.hash);
            question.answer.died = lived.clone().any(|life| !life.live && life.path == question.path);
            question.answer.lives_at = lived
                .filter(|life| life.live && self.value(&life.path) == Some(Value::File(question.hash)))
                .map(|life| DrivePath::parse(&life.path).unwrap())
                .next();
        }
        reconcile::decide(input, &asked).unwrap()
    }

    pub fn contest(&mut self, device: usize, path: &str, client_hash: ContentHash) {
        let node = self.live.get(path).map(|node| node.value);
        let key = (device, path.to_owned());
        let mut candidate = self.conflicts.get(&key).and_then(|old| old.candidate);
        let before = self.conflicts.get(&key).map(|old| old.open.client_hash);
        if before.is_some_and(|before| before != client_hash)
            && let Some(replaced) = candidate.take()
        {
            self.keep_version(path, replaced);
        }
        let open = Open {
            client_hash,
            server_hash: node.and_then(Value::hash),
            server_kind: node.map(Value::kind),
            has_candidate: false,
        };
        self.conflicts.insert(key, Contested { open, candidate });
    }

    fn keep_conflicts(&mut self, device: usize, decision: &Decision) {
        for wanted in &decision.conflicts {
            let path = wanted.path.as_str();
            self.contest(device, path, wanted.client_hash);
            let stored = &self.conflicts[&(device, path.to_owned())];
            assert_eq!(stored.open.server_hash, wanted.server_hash);
            assert_eq!(stored.open.server_kind, wanted.server_kind);
        }
        let is_open = |path: &str| {
            decision.conflicts.iter().any(|wanted| wanted.path.as_str() == path)
                || decision.unjudged.iter().any(|at| at.as_str() == path)
        };
        let closed: Vec<_> =
            self.conflicts.keys().filter(|(of, path)| *of == device && !is_open(path)).cloned().collect();
        for key in closed {
            let conflict = self.conflicts.remove(&key).unwrap();
            self.closed.extend(conflict.candidate);
        }
    }

    /// Adds a version that is not current to what is or was at a path.
    fn keep_version(&mut self, path: &str, hash: ContentHash) {
        let live = self.live.get(path).filter(|node| !node.value.is_folder()).map(|node| node.id);
        let dead = || {
            let mut lived = self.lived_at.get(path).into_iter().flatten().copied();
            lived.rfind(|id| !self.life(*id).live && !self.life(*id).versions.is_empty())
        };
        let id = live.or_else(dead).unwrap_or_else(|| {
            let life = Life { versions: Vec::new(), path: path.to_owned(), live: false };
            self.lives.push(life);
            let id = i64::try_from(self.lives.len()).unwrap();
            self.lived_at.entry(path.to_owned()).or_default().insert(id);
            id
        });
        self.life_mut(id).versions.push(hash);
    }

    /// The bytes of a conflict's client side arrive.
    pub fn bring_candidate(&mut self, device: usize, path: &str) {
        let conflict = self.conflicts.get_mut(&(device, path.to_owned())).unwrap();
        conflict.candidate = Some(conflict.open.client_hash);
    }

    /// A person settles a conflict.
    pub fn settle(&mut self, device: usize, path: &str, resolution: Resolution) -> Outcome {
        let key = (device, path.to_owned());
        let conflict = self.conflicts[&key].clone();
        let open =
            Open { has_candidate: conflict.candidate == Some(conflict.open.client_hash), ..conflict.open };
        let row = self.rows.entry(device).or_default().get(path).cloned();
        let is_blocked = ancestors(path).any(|above| self.is_file(above));
        let present = Present { node: self.live.get(path), is_blocked };
        let outcome = resolve(resolution, &open, None, present, row);
        match &outcome {
            Outcome::ServerMoved => self.contest(device, path, open.client_hash),
            Outcome::KindsDiffer | Outcome::NeedsUpload => {}
            Outcome::Settled { store, row } => {
                assert!(store.is_none() || open.has_candidate, "what is to be stored is here");
                let beside = DrivePath::parse(path).unwrap();
                match store {
                    None => {}
                    Some(Store::Version) => self.keep_version(path, open.client_hash),
                    Some(Store::Sibling) => {
                        let copy = conflict_copy(
                            &beside,
                            &format!("device {device}"),
                            |at| self.live.contains_key(at),
                            |at| self.is_file(at),
                        );
                        self.write(copy.unwrap().as_str(), open.client_hash).unwrap();
                    }
                }
                self.rows.entry(device).or_default().insert(path.to_owned(), row.clone());
                self.closed.extend(self.conflicts.remove(&key).unwrap().candidate);
            }
        }
        outcome
    }
}

/// The input without the paths where claim, agreement and server are alike, as its documentation allows.
fn without_what_is_alike(input: &Input<'_>) -> (Claims, ServerNodes, Rows, usize) {
    let Input { claims, nodes, rows, .. } = input;
    let is_alike = |path: &str| match (claims.get(path), nodes.get(path), rows.get(path)) {
        (Some(Claim::Held(claimed)), Some(node), Some(row)) => {
            *claimed == node.value
                && row.forced.is_none()
                && row.agreed == Some(reconcile::Agreed::Held(node.value))
                && row.agreed_seq == node.seq
                && row.node == node.id
                && row.claimed == Some(Claim::Held(*claimed))
        }
        _ => false,
    };
    let all: BTreeSet<&str> = claims
        .iter()
        .map(|(path, _)| path)
        .chain(nodes.iter().map(|(path, _)| path))
        .chain(rows.iter().map(|(path, _)| path))
        .collect();
    let mut kept: BTreeSet<&str> = all.iter().copied().filter(|path| !is_alike(path)).collect();
    let seeds: Vec<&str> = kept.iter().copied().collect();
    kept.extend(
        all.iter().filter(|path| seeds.iter().any(|seed| beneath(path, seed) || beneath(seed, path))),
    );
    if input.sent.moves {
        let hash_at = |path: &str| {
            let claimed = match claims.get(path) {
                Some(Claim::Held(value)) => value.hash(),
                _ => None,
            };
            [claimed, nodes.get(path).and_then(|node| node.value.hash())]
        };
        let hashes: BTreeSet<ContentHash> = kept.iter().flat_map(|path| hash_at(path)).flatten().collect();
        kept.extend(
            all.iter().filter(|path| hash_at(path).iter().flatten().any(|hash| hashes.contains(hash))),
        );
    }
    let left_out = all.iter().filter(|path| !kept.contains(*path));
    let alike = left_out.filter(|path| nodes.get(path).is_some_and(|node| !node.value.is_folder())).count();
    (only(claims, &kept), only(nodes, &kept), only(rows, &kept), alike)
}

fn only<T: Clone>(map: &PathMap<T>, kept: &BTreeSet<&str>) -> PathMap<T> {
    let mut builder = PathMapBuilder::new();
    for (path, value) in map.iter().filter(|(path, _)| kept.contains(path)) {
        builder.push(path, value.clone()).unwrap();
    }
    builder.finish().unwrap()
}

//! A batch's short way for new files leaves in the catalogue what its acts would have left one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_protocol::ContentHash;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::path;
use crate::catalog::db::{Db, EngineName};
use crate::catalog::devices;
use crate::catalog::drives::{self, NewDrive};
use crate::catalog::locks::{self, NewLock};
use crate::catalog::nodes;
use crate::catalog::testing::{everything, run_on_two};
use crate::catalog::users::{self, NewUser};
use crate::domain::accounts::Role;
use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::service::act::StagedFolder;
use crate::service::batch::{NewFile, Step, Todo, commit_in, commit_one_by_one};
use crate::service::files::{Deletion, Expect, Outcome, Transfer, Who};
use crate::service::locks::Guard;
use crate::store::Blob;

/// What is in both catalogues before the first batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct House {
    owner: i64,
    stranger: i64,
    device: i64,
    drive: i64,
    root: i64,
}

async fn house(db: &Db) -> House {
    let user = |name: &str, n: u128| NewUser {
        uuid: Uuid::from_u128(n),
        username: name.to_owned(),
        username_key: name.to_owned(),
        display_name: name.to_owned(),
        role: Role::Member,
        password_hash: String::new(),
        at: 0,
    };
    let (ada, eve) = (user("ada", 1), user("eve", 2));
    db.write(move |tx| {
        Box::pin(async move {
            let (owner, stranger) = (users::insert(tx, ada).await?.id, users::insert(tx, eve).await?.id);
            let device = devices::register(tx, owner, "laptop", "laptop", None, 0).await?.0.id;
            let new = NewDrive {
                uuid: Uuid::from_u128(3),
                owner_id: owner,
                name: "home",
                name_key: "home",
                kind: "nas",
                unique_identifier: "home",
                provider: None,
                root: Some("/nowhere"),
                now: 0,
            };
            let (drive, root) = drives::insert(tx, &new).await?;
            Ok(House { owner, stranger, device, drive, root })
        })
    })
    .await
    .unwrap()
}

fn stat(rng: &mut StdRng, kind: EntryKind) -> Stat {
    Stat {
        ident: Ident { ino: rng.random(), btime_ns: rng.random_range(1..1_000) },
        kind,
        size: rng.random_range(0..100),
        mtime_ns: rng.random_range(-5..5),
        nlink: 1,
        mode: 0o644,
    }
}

fn content(rng: &mut StdRng) -> ContentHash {
    ContentHash::try_from(&[rng.random_range(0..4); 32][..]).unwrap()
}

/// A path among few, so that the same comes again; or one that is new.
fn some_path(rng: &mut StdRng, new: f64) -> String {
    let folder = ["", "a/", "a/b/", "c/"][rng.random_range(0..4)];
    match rng.random_bool(new) {
        true => format!("{folder}n{}", rng.random_range(0..1_000_000)),
        false => format!("{folder}{}", ["a", "b", "c", "d"][rng.random_range(0..4)]),
    }
}

fn put(rng: &mut StdRng, new: f64) -> Todo {
    let expect = match rng.random_range(0..8) {
        0 => Expect::Nothing,
        1 => Expect::Something,
        2 => Expect::Content(content(rng)),
        _ => Expect::Anything,
    };
    let expect = if rng.random_bool(new) { Expect::Nothing } else { expect };
    let blob = Blob {
        slot: Uuid::from_u128(rng.random()),
        hash: content(rng),
        size: rng.random_range(0..100),
        stat: stat(rng, EntryKind::File),
        sums: None,
    };
    let file = NewFile {
        path: path(&some_path(rng, new)),
        expect,
        parents: rng.random(),
        hash: None,
        mtime_ns: None,
    };
    Todo { step: Arc::new(Step::Put(file)), blob: Some(blob) }
}

/// Runs of new files, with other acts among them.
fn todo(rng: &mut StdRng) -> Vec<Todo> {
    let (length, new) = (rng.random_range(1..60), [0.5, 0.9, 0.99, 1.0][rng.random_range(0..4)]);
    let act = |rng: &mut StdRng| {
        if rng.random_bool(new) {
            return put(rng, new);
        }
        let (one, other) = (path(&some_path(rng, 0.1)), path(&some_path(rng, 0.3)));
        let step = match rng.random_range(0..4) {
            0 => return put(rng, new),
            1 => Step::Mkdir { path: one, parents: rng.random() },
            2 => Step::Delete(Deletion { path: one, expect: Expect::Anything, only_empty: rng.random() }),
            _ => Step::Move(Transfer {
                from: one,
                to: other,
                expect: Expect::Anything,
                overwrite: rng.random(),
                parents: rng.random(),
                shallow: false,
            }),
        };
        Todo { step: Arc::new(step), blob: None }
    };
    (0..length).map(|_| act(rng)).collect()
}

fn who(rng: &mut StdRng, house: House) -> Who {
    let user_id = if rng.random_bool(0.05) { house.stranger } else { house.owner };
    let syncing = (user_id == house.owner && rng.random()).then_some(house.device);
    Who { user_id, device_id: None, syncing, guard: Guard::default(), once: None }
}

/// Locks what stands under a name, if anything does.
async fn lock(db: &Db, house: House, at: String, now: i64) {
    db.write(move |tx| {
        Box::pin(async move {
            let Some(node) = nodes::resolve(tx, house.root, &path(&at)).await?.node else { return Ok(()) };
            let new = NewLock {
                drive_id: house.drive,
                node_id: node.id,
                user_id: house.owner,
                shared: false,
                deep: true,
                owner: None,
                timeout: 1,
                now,
            };
            locks::insert(tx, &new).await.map(drop)
        })
    })
    .await
    .unwrap();
}

/// What a batch told, published and left, with the ids that were drawn at random told apart but not told; and how many of its
/// acts were done.
async fn carried_out(
    db: &Db,
    (house, who): (House, &Who),
    now: i64,
    todo: &[Todo],
    folders: &[StagedFolder],
    one_by_one: bool,
) -> (String, usize) {
    let (who, todo, folders) = (who.clone(), todo.to_vec(), folders.to_vec());
    let (told, done) = db
        .write_in_parts(move |tx| {
            Box::pin(async move {
                let committed = match one_by_one {
                    true => commit_one_by_one(tx, house.drive, now, &who, todo, folders).await?,
                    false => commit_in(tx, house.drive, now, &who, todo, folders).await?,
                };
                let done =
                    committed.outcomes.iter().filter(|one| matches!(one, Ok(Outcome::Done(..)))).count();
                let after = (&tx.after.events, &tx.after.drives, tx.after.heads.last());
                Ok((format!("{committed:#?}\n{after:#?}"), done))
            })
        })
        .await
        .unwrap();
    let left = match now % 4 {
        0 => db.read(|tx| Box::pin(async move { Ok(everything(tx).await?) })).await.unwrap(),
        _ => String::new(),
    };
    (without_ids(&format!("{told}\n{left}")), done)
}

/// A text with the ids in it numbered as they come.
fn without_ids(text: &str) -> String {
    let (mut numbers, mut plain, mut at, mut kept) = (HashMap::new(), String::new(), 0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        // As Postgres and Rust write them, or SQLite.
        let span = match (bytes.get(at + 8), bytes.get(at + 13), bytes[at], bytes.get(at + 34)) {
            (Some(b'-'), Some(b'-'), ..) => Some((at, at + 36)),
            (_, _, b'X', Some(b'\'')) => Some((at + 2, at + 34)),
            _ => None,
        };
        let id = span.and_then(|(from, to)| Some((text.get(from..to)?.parse::<Uuid>().ok()?, to)));
        let Some((id, end)) = id else {
            at += 1;
            continue;
        };
        let count = numbers.len();
        plain.push_str(&text[kept..at]);
        plain.push_str(&format!("#{}", numbers.entry(id).or_insert(count)));
        (at, kept) = (end, end);
    }
    plain.push_str(&text[kept..]);
    plain
}

async fn the_same_batches_both_ways(short: Db, long: Db, seed: u64) {
    let rng = &mut StdRng::seed_from_u64(seed);
    let house = {
        let (one, other) = (house(&short).await, house(&long).await);
        assert_eq!(one, other);
        one
    };
    let mut done = 0;
    for now in 1..=BATCHES {
        let (who, todo) = (who(rng, house), todo(rng));
        if rng.random_bool(0.1) {
            let at = some_path(rng, 0.0);
            lock(&short, house, at.clone(), now).await;
            lock(&long, house, at, now).await;
        }
        let folders: Vec<StagedFolder> = (0..80)
            .map(|_| StagedFolder { slot: Uuid::from_u128(rng.random()), stat: stat(rng, EntryKind::Folder) })
            .collect();
        let (one, count) = carried_out(&short, (house, &who), now, &todo, &folders, false).await;
        let (other, _) = carried_out(&long, (house, &who), now, &todo, &folders, true).await;
        if let Some(at) = one.lines().zip(other.lines()).position(|(one, other)| one != other) {
            let about =
                |text: &str| text.lines().skip(at.saturating_sub(30)).take(35).collect::<Vec<_>>().join("\n");
            let (one, other) = (about(&one), about(&other));
            panic!(
                "seed {seed}, batch {now} of {todo:#?}\nleaves by the short way\n{one}\nand else\n{other}"
            );
        }
        assert_eq!(one.len(), other.len(), "seed {seed}, batch {now}");
        done += count;
    }
    assert!(done > 60, "seed {seed}: only {done} acts were done");
}

const SEEDS: std::ops::Range<u64> = 0..2;
const BATCHES: i64 = 16;

#[test]
fn the_short_way_for_new_files_leaves_what_the_long_one_leaves_on_sqlite() {
    for seed in SEEDS {
        run_on_two(EngineName::Sqlite, |one, other| the_same_batches_both_ways(one, other, seed));
    }
}

#[test]
fn the_short_way_for_new_files_leaves_what_the_long_one_leaves_on_postgres() {
    for seed in SEEDS {
        run_on_two(EngineName::Postgres, |one, other| the_same_batches_both_ways(one, other, seed));
    }
}

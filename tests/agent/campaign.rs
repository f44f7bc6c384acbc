//! Three devices, three people, one server, and everything that breaks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use support::block_on;

use crate::laptop::{Laptop, a_server, tree_of};
use crate::people::Person;
use crate::wire::Wire;

/// How long people work: the first in every run of the tests, the second in a long one.
const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(600);
/// Files that are there when they begin; `HOLDFAST_CAMPAIGN_FILES` says otherwise.
const FILES: usize = 10_000;
/// Between two edits, and between two accidents.
const EDIT: Duration = Duration::from_millis(12);
const ACCIDENT: Duration = Duration::from_millis(2_500);
/// Until all have come to rest, at most.
const REST: Duration = Duration::from_secs(240);

/// `HOLDFAST_CAMPAIGN_SEED` repeats what people and accidents did, not what came of it: that is up to the machine as well.
#[test]
fn three_people_edit_while_agents_server_and_connections_die_and_nothing_they_wrote_is_lost() {
    let is_long = std::env::var_os("HOLDFAST_LONG").is_some();
    let told = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = told("HOLDFAST_CAMPAIGN_SEED").unwrap_or_else(rand::random);
    let files =
        told("HOLDFAST_CAMPAIGN_FILES").and_then(|files| usize::try_from(files).ok()).unwrap_or(FILES);
    eprintln!("HOLDFAST_CAMPAIGN_SEED={seed}");
    block_on(campaign(seed, files, if is_long { LONG } else { SHORT }));
}

async fn campaign(seed: u64, files: usize, length: Duration) {
    let mut server = a_server().await;
    let wire = Wire::to(server.address());
    let mut rng = StdRng::seed_from_u64(seed);
    let names = ["ada", "bob", "eve"];
    let mut laptops: Vec<Laptop> =
        names.iter().map(|name| Laptop::with_folder_at(&wire.url(), &server, name)).collect();
    let mut people: Vec<Person> = names
        .iter()
        .zip(&laptops)
        .zip(1..)
        .map(|((name, laptop), n)| Person::at(laptop.folder(), name, seed.wrapping_add(n)))
        .collect();
    let count = people.len();
    people.iter_mut().for_each(|person| person.begin_with(files / count));
    laptops.iter_mut().for_each(Laptop::start);

    let begin = Instant::now();
    let mut next_accident = begin + ACCIDENT;
    let mut accidents = [0; 3];
    while begin.elapsed() < length {
        people[rng.random_range(0..count)].edit();
        tokio::time::sleep(EDIT).await;
        if Instant::now() < next_accident {
            continue;
        }
        next_accident = Instant::now() + ACCIDENT;
        let kind = rng.random_range(0..accidents.len());
        accidents[kind] += 1;
        match kind {
            0 => wire.cut(),
            1 => {
                let laptop = &mut laptops[rng.random_range(0..count)];
                laptop.kill();
                laptop.start();
            }
            _ => {
                server.kill9();
                server.launch().await;
            }
        }
    }
    let edits: u32 = people.iter().map(Person::edits).sum();
    let at = |time: Instant| time.elapsed().as_secs_f32();
    eprintln!("{edits} edits; cut, agent killed, server killed: {accidents:?}; {:.1} s", at(begin));

    let root = support::home_of(&server, &server.admin().await).await;
    let rested = Instant::now();
    let mut before = None;
    loop {
        let trees: Vec<_> = laptops.iter().map(Laptop::tree).collect();
        let on_server = tree_of(&root, ".holdfast");
        // And it stays so: a device that has not looked yet would change it.
        if trees[0] == on_server
            && trees.iter().all(|tree| *tree == trees[0])
            && before.as_ref() == Some(&trees[0])
        {
            break;
        }
        before = Some(trees[0].clone());
        assert!(
            rested.elapsed() < REST,
            "they do not come to rest: {:?}\n{}",
            trees.iter().map(|tree| differences(tree, &on_server)).collect::<Vec<_>>(),
            laptops.iter().map(Laptop::log).collect::<Vec<_>>().join("\n--\n"),
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    eprintln!("{} files and folders, at rest after {:.1} s", before.map_or(0, |tree| tree.len()), at(rested));

    let mut kept = HashSet::new();
    contents(&root, &mut kept);
    let on_server = kept.len();
    for laptop in &laptops {
        contents(&laptop.folder().join(".holdfast-sync"), &mut kept);
    }
    eprintln!("{on_server} contents on the server, {} in trashes alone", kept.len() - on_server);
    let wants = people.iter().flat_map(Person::wants);
    let lost: Vec<String> = wants
        .filter(|(text, _)| !kept.contains(text.as_bytes()))
        .map(|(text, how)| format!("{}, {how}", text.split(": ").next().unwrap_or_default()))
        .collect();
    assert!(lost.is_empty(), "{} contents are nowhere:\n{}", lost.len(), lost.join("\n"));
    for laptop in &mut laptops {
        assert!(laptop.stop().success(), "{}", laptop.log());
    }
}

/// How many paths of two trees differ, and the first of them.
fn differences<T: PartialEq>(one: &BTreeMap<String, T>, other: &BTreeMap<String, T>) -> (usize, Vec<String>) {
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing: Vec<String> =
        paths.into_iter().filter(|path| one.get(*path) != other.get(*path)).cloned().collect();
    (differing.len(), differing.into_iter().take(20).collect())
}

/// All contents of files beneath a folder, hidden ones too.
fn contents(folder: &Path, into: &mut HashSet<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            contents(&entry.path(), into);
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            into.insert(bytes);
        }
    }
}

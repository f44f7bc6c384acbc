//! Every SQL text is one that both engines take.

use std::path::Path;

use crate::catalog::sql;
use crate::catalog::testing::{FILES, both_engines};

both_engines! {
    async fn every_sql_text_can_be_prepared(db: Db) {
        let mut refused = Vec::new();
        for (file, statements) in FILES {
            for (name, sql) in *statements {
                let prepared = db.read(move |tx| Box::pin(async move {
                    Ok(sql::prepare(tx, sql).await?)
                }));
                if let Err(error) = prepared.await {
                    refused.push(format!("{file}::{name}: {:?}\n{sql}", error.private()));
                }
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    }
}

/// Tables that have a row for each file, version or change.
const LARGE: &[&str] = &["changes", "file_versions", "node_names", "nodes", "sync_metadata"];

/// Texts whose work is all of a drive's files, or all that a device holds.
const OF_THE_WHOLE: &[&str] = &[
    "agreements::EMPTY",
    "devices::FORGET_SYNC",
    "forgetting::AGREEMENTS",
    "forgetting::STATES",
    "forgetting::VERSIONS",
    "sync::FILES",
    "sync::FOLDERS",
    "sync::ROWS",
    "tree::COUNT",
    "tree::LIVE",
];

/// Whether a step of SQLite's plan goes through all rows of a large table that belong to a drive or device.
fn goes_through_all(step: &str) -> bool {
    let of_large = |rest: &str| LARGE.iter().any(|table| rest.split(' ').next() == Some(*table));
    match (step.strip_prefix("SCAN "), step.strip_prefix("SEARCH ")) {
        (Some(rest), _) => of_large(rest),
        (_, Some(rest)) => {
            of_large(rest)
                && ["(drive_id=?)", "(sync_state_id=?)", "(state=?)"].iter().any(|by| rest.ends_with(by))
        }
        _ => false,
    }
}

#[test]
fn no_sql_text_goes_through_a_whole_drive_unless_it_is_about_all_of_it() {
    crate::catalog::testing::run(crate::catalog::db::EngineName::Sqlite, |db| async move {
        let mut found = Vec::new();
        for (file, statements) in FILES {
            for (name, text) in *statements {
                // What inserts names the tables whose foreign keys would have to be looked at if it changed a key.
                if text.starts_with("INSERT") || OF_THE_WHOLE.contains(&format!("{file}::{name}").as_str()) {
                    continue;
                }
                let steps =
                    db.read(move |tx| Box::pin(async move { Ok(sql::plan_of(tx, text)?) })).await.unwrap();
                let steps = steps.into_iter().filter(|step| goes_through_all(step));
                found.extend(steps.map(|step| format!("{file}::{name}: {step}")));
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    });
}

/// The constants of a source file that are texts.
fn texts(source: &str) -> impl Iterator<Item = &str> {
    let named =
        source.lines().filter_map(|line| line.trim_start_matches("pub(super) ").strip_prefix("const "));
    named.filter_map(|rest| rest.split_once(": &str").map(|(name, _)| name))
}

#[test]
fn every_sql_text_is_listed() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap().to_owned();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let listed = FILES.iter().filter(|(file, _)| *file == name).flat_map(|(_, texts)| *texts);
            let listed: Vec<&str> = listed.map(|(text, _)| *text).collect();
            for text in texts(&source) {
                assert!(
                    listed.contains(&text),
                    "{name}::{text} is in no STATEMENTS, or {name} is not in FILES"
                );
            }
        }
    }
}

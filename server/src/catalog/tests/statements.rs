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

#[test]
fn plans() {
    crate::catalog::testing::run(crate::catalog::db::EngineName::Sqlite, |db| async move {
        for (file, statements) in FILES {
            for (name, text) in *statements {
                let steps =
                    db.read(move |tx| Box::pin(async move { Ok(sql::plan_of(tx, text)?) })).await.unwrap();
                for step in steps {
                    println!("{file}::{name}: {step}");
                }
            }
        }
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

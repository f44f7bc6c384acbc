//! The batching writer (algorithms A, Writer).

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::catalog::db::{Committed, Db};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes::{self, NewNode};
use crate::catalog::settings;
use crate::catalog::sql;
use crate::catalog::testing::both_engines;
use crate::domain::stat::Ident;
use crate::error::{Error, Kind, Result};

/// Everything that was published, a list per commit.
fn published(db: &Db) -> Arc<Mutex<Vec<Committed>>> {
    let commits = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&commits);
    db.on_commit(Box::new(move |committed| told.lock().unwrap().push(committed)));
    commits
}

async fn put(db: &Db, key: String, refused: bool) -> Result<()> {
    db.write(move |tx| {
        Box::pin(async move {
            settings::get_or_set(tx, &key, "here").await?;
            events::add(tx, NewEvent { kind: "user-changed", path: Some(key), ..NewEvent::default() })
                .await?;
            if refused { Err(Error::conflict("not this one")) } else { Ok(()) }
        })
    })
    .await
}

async fn known(db: &Db, key: &str) -> bool {
    let key = key.to_owned();
    db.read(move |tx| Box::pin(async move { settings::get(tx, &key).await })).await.unwrap().is_some()
}

both_engines! {
    async fn a_write_that_fails_takes_nothing_else_with_it(db: Db) {
        let writes = (0..100).map(|number| put(&db, format!("key-{number}"), number % 3 == 0));
        let answers = futures_util::future::join_all(writes).await;
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_err(), number % 3 == 0, "{number}");
            assert_eq!(known(&db, &format!("key-{number}")).await, number % 3 != 0, "{number}");
        }
    }

    async fn a_statement_that_the_engine_refuses_takes_nothing_else_with_it(db: Db) {
        let broken = db.write(|tx| Box::pin(async move {
            sql::query("INSERT INTO settings (key, value) VALUES ('a', 'b')").execute(tx).await?;
            sql::query("INSERT INTO settings (key, value) VALUES ('a', 'again')").execute(tx).await?;
            Ok(())
        }));
        let (broken, good) = tokio::join!(broken, put(&db, "good".to_owned(), false));
        assert_eq!(broken.unwrap_err().kind(), Kind::Internal);
        good.unwrap();
        assert!(known(&db, "good").await);
        assert!(!known(&db, "a").await);
    }

    async fn a_row_without_what_it_refers_to_is_refused_also_where_its_key_is_asked_for(db: Db) {
        let made = db.write(|tx| Box::pin(async move {
            let ident = Ident { ino: 1, btime_ns: 1 };
            let new = NewNode {
                drive_id: 999, parent_id: 999, name: "a", kind: "file", seq: 1, ident, mtime_ns: 0, slot: None, now: 0,
            };
            nodes::insert(tx, &new).await.map(drop)
        }));
        assert_eq!(made.await.unwrap_err().kind(), Kind::Internal);
    }

    async fn a_write_that_panics_takes_nothing_else_with_it_and_the_writer_goes_on(db: Db) {
        let broken = db.write(|tx| Box::pin(async move {
            settings::get_or_set(tx, "half", "done").await?;
            std::hint::black_box(None::<()>).unwrap();
            Ok(())
        }));
        let (broken, good) = tokio::join!(broken, put(&db, "good".to_owned(), false));
        let broken = broken.unwrap_err();
        assert_eq!((broken.kind(), broken.problem_code()), (Kind::Internal, None));
        good.unwrap();
        put(&db, "later".to_owned(), false).await.unwrap();
        assert!(known(&db, "good").await && known(&db, "later").await);
        assert!(!known(&db, "half").await);
    }

    async fn a_hearer_that_panics_takes_no_answer_away(db: Db) {
        db.on_commit(Box::new(|committed| assert!(committed.events.is_empty(), "a bad hearer")));
        put(&db, "one".to_owned(), false).await.unwrap();
        put(&db, "two".to_owned(), false).await.unwrap();
        assert!(known(&db, "two").await);
    }

    async fn writes_that_wait_together_are_one_commit_and_told_after_it(db: Db) {
        let commits = published(&db);
        // The writer is kept at work until all of them wait.
        let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begun, waits) = (Arc::clone(&at_work), Arc::clone(&go_on));
        let first = db.write(move |_| Box::pin(async move {
            begun.notify_one();
            waits.notified().await;
            Ok(())
        }));
        let others = async {
            at_work.notified().await;
            let writes = (0..50).map(|number| put(&db, format!("key-{number}"), number == 7));
            let mut writes = std::pin::pin!(futures_util::future::join_all(writes));
            assert!(futures_util::poll!(&mut writes).is_pending());
            go_on.notify_one();
            writes.await
        };
        let (first, _) = tokio::join!(first, others);
        first.unwrap();
        let commits = commits.lock().unwrap();
        assert_eq!(commits.len(), 2, "that of the first, and one of all others");
        let paths: Vec<_> = commits[1].events.iter().filter_map(|event| event.path.clone()).collect();
        let kept: Vec<_> = (0..50).filter(|number| *number != 7).map(|number| format!("key-{number}")).collect();
        assert_eq!(paths, kept, "what was refused is not told, the rest is in order");
    }

    async fn a_write_is_there_for_the_next_read_once_it_is_answered(db: Db) {
        for number in 0..20 {
            put(&db, format!("key-{number}"), false).await.unwrap();
            assert!(known(&db, &format!("key-{number}")).await);
        }
    }

    async fn a_caller_that_goes_away_leaves_the_commit_whole(db: Db) {
        {
            let write = put(&db, "abandoned".to_owned(), false);
            tokio::pin!(write);
            let polled = futures_util::future::poll_immediate(&mut write).await;
            assert!(polled.is_none(), "it waits for the writer");
        }
        put(&db, "next".to_owned(), false).await.unwrap();
        assert!(known(&db, "abandoned").await);
    }

    async fn a_reader_changes_nothing_and_sees_one_moment(db: Db) {
        let other = db.clone();
        let seen = db.read(|tx| Box::pin(async move {
            let count = "SELECT COUNT(*) FROM settings";
            let before: i64 = sql::query(count).fetch_one(tx).await?;
            put(&other, "meanwhile".to_owned(), false).await?;
            let after: i64 = sql::query(count).fetch_one(tx).await?;
            let tried = sql::query("INSERT INTO settings (key, value) VALUES ('by-reader', '')").execute(tx).await;
            Ok((before, after, tried.is_ok()))
        })).await.unwrap();
        assert_eq!(seen.0, seen.1);
        assert!(known(&db, "meanwhile").await);
        assert!(!known(&db, "by-reader").await);
    }
}

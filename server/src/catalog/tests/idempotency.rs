//! Kept answers stay within their bounds.

use uuid::Uuid;

use crate::catalog::idempotency::{Kept, expire, find, keep, prune};
use crate::catalog::testing::both_engines;
use crate::catalog::users::{self, NewUser};
use crate::domain::accounts::Role;

fn account(name: &str) -> NewUser {
    NewUser {
        uuid: Uuid::new_v4(),
        username: name.to_owned(),
        username_key: name.to_owned(),
        display_name: name.to_owned(),
        role: Role::Member,
        password_hash: String::new(),
        at: 0,
    }
}

both_engines! {
    async fn the_newest_answers_of_an_account_are_kept_as_far_as_there_is_room(db: Db) {
        let kept = db.write(|tx| Box::pin(async move {
            let ada = users::insert(tx, account("ada")).await?.id;
            let bob = users::insert(tx, account("bob")).await?.id;
            let answer = |length: usize| Kept { fingerprint: vec![7; 32], answer: "x".repeat(length) };
            for n in 0..10 {
                keep(tx, (ada, &format!("k{n}")), &answer(100), 10 + n).await?;
            }
            keep(tx, (bob, "k0"), &answer(100), 1).await?;
            let mut kept = Vec::new();
            let mut look = async |tx: &mut _, what| {
                let mut found = Vec::new();
                for user in [ada, bob] {
                    for n in 0..10 {
                        if find(tx, user, &format!("k{n}"), 0).await?.is_some() {
                            found.push((user == ada, n));
                        }
                    }
                }
                kept.push((what, found));
                Ok::<_, crate::error::Error>(())
            };
            prune(tx, ada, 4, 1000).await?;
            look(tx, "most").await?;
            prune(tx, ada, 4, 250).await?;
            look(tx, "bytes").await?;
            expire(tx, 18).await?;
            look(tx, "time").await?;
            Ok(kept)
        })).await.unwrap();
        assert_eq!(kept, [
            ("most", vec![(true, 6), (true, 7), (true, 8), (true, 9), (false, 0)]),
            ("bytes", vec![(true, 8), (true, 9), (false, 0)]),
            ("time", vec![(true, 9)]),
        ]);
    }
}

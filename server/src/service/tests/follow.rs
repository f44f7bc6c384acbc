//! A follower that does not ask is told little, and nothing waits for it.

use std::time::Duration;

use crate::app::App;
use crate::catalog::drives::{self, Visible};
use crate::clock::Clock;
use crate::config::{Config, Flags, Resolved, Secret};
use crate::domain::accounts::Role;
use crate::service::caller::{Caller, Credential};
use crate::service::follow::{Follower, News, Topics};
use crate::service::users::{self, Wanted};

async fn house() -> (App, Caller, Visible, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let environment = move |name: &str| (name == "HOLDFAST_DATA_DIR").then(|| data.clone());
    let config = Config::from_resolved(&Resolved::gather(&Flags::default(), environment).unwrap()).unwrap();
    let app = App::open(config, Clock::system()).await.unwrap();
    let wanted = Wanted {
        username: "ada".to_owned(),
        display_name: None,
        password: Secret::new("correct horse"),
        role: Role::Member,
    };
    let user = users::create(&app, None, wanted).await.unwrap();
    let caller = Caller {
        user_id: user.id,
        user_uuid: user.uuid,
        username: user.username,
        role: user.role,
        device: None,
        credential: Credential::Password,
    };
    let id = user.id;
    let drives = app.db.read(move |tx| Box::pin(drives::visible(tx, id))).await.unwrap();
    (app, caller, drives.into_iter().next().unwrap(), folder)
}

async fn move_head(app: &App, drive: i64, seq: i64) {
    app.db.write(move |tx| Box::pin(drives::set_head(tx, drive, seq))).await.unwrap();
}

/// The sequences of the heads that are told until nothing more comes.
async fn told(follower: &mut Follower) -> Vec<i64> {
    let mut told = Vec::new();
    while let Ok(news) = tokio::time::timeout(Duration::from_millis(300), follower.next()).await {
        match news.unwrap() {
            Some(News::Head { seq, .. }) => told.push(seq),
            Some(News::Beat { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    told
}

#[tokio::test]
async fn a_slow_reader_is_told_of_the_newest_change_alone() {
    let (app, caller, ada, _folder) = house().await;
    let topics = Topics { drives: true, activity: None };
    let mut follower = Follower::begin(&app, &caller, topics).await.unwrap();
    assert_eq!(told(&mut follower).await, [ada.drive.head_seq]);
    for seq in 100..1100 {
        move_head(&app, ada.drive.id, seq).await;
    }
    assert_eq!(told(&mut follower).await, [1099]);
    move_head(&app, ada.drive.id, 2000).await;
    assert_eq!(told(&mut follower).await, [2000]);
    app.close().await;
}

#[tokio::test]
async fn a_head_that_was_taken_back_is_told_to_nobody() {
    let (app, caller, ada, _folder) = house().await;
    let topics = Topics { drives: true, activity: None };
    let mut follower = Follower::begin(&app, &caller, topics).await.unwrap();
    told(&mut follower).await;
    let drive = ada.drive.id;
    let refused = app.db.write(move |tx| {
        Box::pin(async move {
            drives::set_head(tx, drive, 500).await?;
            Err::<(), _>(crate::error::Error::conflict("no"))
        })
    });
    refused.await.unwrap_err();
    assert!(told(&mut follower).await.is_empty());
    app.close().await;
}

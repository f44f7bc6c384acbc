//! Accounts at chosen times, and which device a request means.

use std::net::IpAddr;
use std::time::Duration;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Flags, Resolved, Secret};
use crate::domain::accounts::Role;
use crate::error::{Error, Kind};
use crate::service::caller::Caller;
use crate::service::sessions::{self, Login};
use crate::service::users::{self, Wanted};
use crate::service::{app_passwords, devices};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A server that serves nothing, whose time stands still.
struct House {
    app: App,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let environment = move |name: &str| (name == "HOLDFAST_DATA_DIR").then(|| data.clone());
        let config =
            Config::from_resolved(&Resolved::gather(&Flags::default(), environment).unwrap()).unwrap();
        let clock = Clock::fixed(START);
        let app = App::open(config, clock.clone()).await.unwrap();
        for username in ["ada", "eva"] {
            let wanted = Wanted {
                username: username.to_owned(),
                display_name: None,
                password: Secret::new("correct horse"),
                role: Role::Member,
            };
            users::create(&app, None, wanted).await.unwrap();
        }
        Self { app, clock, _folder: folder }
    }

    fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now() + i64::try_from(time.as_micros()).unwrap());
    }

    async fn login(
        &self,
        username: &str,
        password: &str,
        device_id: Option<&str>,
    ) -> Result<sessions::Tokens, Error> {
        let login = Login {
            username: username.to_owned(),
            password: Secret::new(password),
            device_id: device_id.map(str::to_owned),
            user_agent: None,
            address: HERE,
        };
        sessions::login(&self.app, login).await
    }

    async fn caller(&self, username: &str, device_id: Option<&str>) -> Caller {
        let tokens = self.login(username, "correct horse", device_id).await.unwrap();
        sessions::bearer(&self.app, &tokens.access).await.unwrap()
    }
}

#[tokio::test]
async fn an_access_token_is_good_for_its_lifetime_and_not_a_moment_longer() {
    let house = House::new().await;
    let tokens = house.login("ada", "correct horse", None).await.unwrap();
    house.pass(tokens.lifetime - Duration::from_secs(1));
    sessions::bearer(&house.app, &tokens.access).await.unwrap();
    house.pass(Duration::from_secs(1));
    assert_eq!(sessions::bearer(&house.app, &tokens.access).await.unwrap_err().kind(), Kind::Unauthenticated);
    let renewed = sessions::refresh(&house.app, &tokens.refresh).await.unwrap();
    sessions::bearer(&house.app, &renewed.access).await.unwrap();
}

#[tokio::test]
async fn a_login_lasts_as_long_as_it_is_used() {
    let house = House::new().await;
    let mut tokens = house.login("ada", "correct horse", None).await.unwrap();
    let nearly = house.app.config.refresh_lifetime - Duration::from_secs(1);
    for _ in 0..3 {
        house.pass(nearly);
        tokens = sessions::refresh(&house.app, &tokens.refresh).await.unwrap();
    }
    house.pass(nearly + Duration::from_secs(1));
    assert!(sessions::refresh(&house.app, &tokens.refresh).await.is_err());
}

#[tokio::test]
async fn wrong_passwords_are_forgiven_with_time() {
    let house = House::new().await;
    let limits = house.app.config.limits;
    for _ in 0..limits.login_attempts {
        assert_eq!(house.login("ada", "wrong", None).await.unwrap_err().kind(), Kind::Unauthenticated);
    }
    let refused = house.login("ada", "correct horse", None).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::TooMany);
    house.login("eva", "correct horse", None).await.unwrap();
    house.pass(Duration::from_secs(refused.retry_after_seconds().unwrap().into()));
    house.login("ada", "correct horse", None).await.unwrap();
}

#[tokio::test]
async fn beyond_so_many_logins_the_one_used_longest_ago_ends() {
    let house = House::new().await;
    let first = house.login("ada", "correct horse", None).await.unwrap();
    let second = house.login("ada", "correct horse", None).await.unwrap();
    house.pass(Duration::from_secs(1));
    let first = sessions::refresh(&house.app, &first.refresh).await.unwrap();
    let me = sessions::bearer(&house.app, &first.access).await.unwrap();
    for number in 0..499 {
        let (user_id, at) = (me.user_id, house.clock.now() + number);
        house
            .app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let expires_at = at + 1000 * SECOND;
                    let new = crate::catalog::sessions::NewSession {
                        user_id,
                        device_id: None,
                        user_agent: None,
                        at,
                        expires_at,
                    };
                    crate::catalog::sessions::insert(tx, new, 0, 500).await
                })
            })
            .await
            .unwrap();
    }
    sessions::bearer(&house.app, &first.access).await.unwrap();
    assert!(sessions::bearer(&house.app, &second.access).await.is_err());
    assert_eq!(sessions::list(&house.app, &me, 0, 1000).await.unwrap().len(), 500);
}

#[tokio::test]
async fn a_request_means_a_device_of_its_own_that_counts() {
    let house = House::new().await;
    let ada = house.caller("ada", None).await;
    house.caller("ada", Some("laptop")).await;
    house.caller("eva", Some("hers")).await;
    let laptop = devices::of_caller(&house.app, &ada, "laptop").await.unwrap();
    assert_eq!(laptop.device_id, "laptop");
    for unknown in ["nothing", "hers", "legacy_client", ""] {
        let error = devices::of_caller(&house.app, &ada, unknown).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.problem_code()),
            (Kind::NotFound, Some("unknown-device")),
            "{unknown}"
        );
    }
    devices::revoke(&house.app, &ada, "laptop".to_owned()).await.unwrap();
    assert_eq!(devices::of_caller(&house.app, &ada, "laptop").await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_bound_credential_speaks_for_its_device_alone() {
    let house = House::new().await;
    let laptop = house.caller("ada", Some("laptop")).await;
    house.caller("ada", Some("phone")).await;
    devices::of_caller(&house.app, &laptop, "laptop").await.unwrap();
    let error = devices::of_caller(&house.app, &laptop, "phone").await.unwrap_err();
    assert_eq!((error.kind(), error.problem_code()), (Kind::Forbidden, Some("other-device")));
    let registered = house.app.db.write(move |tx| {
        Box::pin(
            async move { devices::register(tx, &laptop, "tablet", "Tablet", None, START).await.map(drop) },
        )
    });
    assert_eq!(registered.await.unwrap_err().kind(), Kind::Forbidden);
    let ada = house.caller("ada", None).await;
    assert_eq!(devices::list(&house.app, &ada, 0, true, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn registering_again_renames_and_keeps_the_device() {
    let house = House::new().await;
    let ada = house.caller("ada", None).await;
    let mut ids = Vec::new();
    for name in ["Laptop", "Ada's laptop"] {
        let caller = ada.clone();
        let (device, _) = house
            .app
            .db
            .write(move |tx| {
                Box::pin(
                    async move { devices::register(tx, &caller, "laptop", name, Some("linux"), START).await },
                )
            })
            .await
            .unwrap();
        assert_eq!(device.name, name);
        ids.push(device.uuid);
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_use_of_an_app_password_is_noted_now_and_then() {
    let house = House::new().await;
    let ada = house.caller("ada", None).await;
    let made = app_passwords::create(&house.app, &ada, "mail", None).await.unwrap();
    let mut last = None;
    for minutes in [0, 1, 10] {
        house.clock.set(START + minutes * 60 * SECOND);
        sessions::basic(&house.app, HERE, "ada", Secret::new(made.password.clone())).await.unwrap();
        // The note is written behind the answer; a write of ours comes after it.
        tokio::task::yield_now().await;
        house.app.db.write(|_| Box::pin(async { Ok(()) })).await.unwrap();
        let listed = app_passwords::list(&house.app, &ada, 0, 10).await.unwrap();
        last = listed[0].last_used_at;
        let noted = if minutes < 5 { START } else { START + minutes * 60 * SECOND };
        assert_eq!(last, Some(noted), "after {minutes} minutes");
    }
    assert!(last.is_some());
}

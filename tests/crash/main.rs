//! What a crash leaves behind. The server is killed with SIGKILL, at random moments and at each named point of the
//! write path, under a mixed load; after each start every acknowledged content is there with the right hash, nothing
//! is torn, the plain folder is what the catalogue says, and nothing is left in staging (promises P1, P2, P3).
//!
//! Seen to fail with: the commit answered before it is durable; a redo that repeats an exchange; slots not swept.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod load;
mod reader;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::{Client, Disk, Engine, Server, block_on};

use load::{Load, Worker};

/// Every named point, read from the server's own list so that a new one is not forgotten here.
fn points(list: &str) -> Vec<&'static str> {
    let source = include_str!("../../server/src/failpoint.rs");
    let list = source.split(&format!("{list}: &[&str] = &[")).nth(1).unwrap().split("];").next().unwrap();
    list.split('"').skip(1).step_by(2).collect()
}

/// How often one test kills: the full length is a campaign run by hand.
fn kills(quick: usize, long: usize) -> usize {
    if std::env::var_os("HOLDFAST_LONG").is_some() { long } else { quick }
}

struct Campaign {
    server: Server,
    client: Client,
    load: Load,
    rng: StdRng,
}

impl Campaign {
    async fn start(engine: Engine, seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self::on(Server::start(engine).await, seed).await
    }

    async fn on(server: Server, seed: u64) -> Self {
        let client = server.admin().await;
        let load = Load::new(&client, &server, seed).await;
        Self { server, client, load, rng: StdRng::seed_from_u64(seed) }
    }

    /// Runs the load until the server is gone.
    async fn until_gone(&mut self, after: Option<Duration>) {
        let mut workers = std::mem::take(&mut self.load.workers);
        let client = self.client.at(self.server.url());
        let running = async {
            let mut tasks = tokio::task::JoinSet::new();
            for mut worker in workers.drain(..) {
                let client = client.clone();
                tasks.spawn(async move {
                    worker.run(&client).await;
                    worker
                });
            }
            tasks.join_all().await
        };
        tokio::pin!(running);
        let done: Vec<Worker> = match after {
            None => tokio::time::timeout(Duration::from_secs(60), running).await.unwrap(),
            Some(after) => {
                let early = tokio::time::timeout(after, &mut running).await;
                self.server.kill9();
                match early {
                    Ok(_) => panic!("the server was gone before it was killed"),
                    Err(_) => running.await,
                }
            }
        };
        self.load.workers = done;
    }

    /// Starts the server again and looks at everything.
    async fn examine(&mut self, thorough: bool) {
        self.server.launch().await;
        self.client = self.client.at(self.server.url());
        let tree = reader::tree_and_folder_agree(&self.client, &self.load.root).await;
        self.load.check(&self.client, &tree).await;
        if thorough {
            reader::nothing_is_left_in_staging(&self.server, &self.load.root).await;
        }
    }
}

fn random_moments(engine: Engine, seed: u64, quick: usize, long: usize) {
    block_on(async move {
        let mut campaign = Campaign::start(engine, seed).await;
        let total = kills(quick, long);
        for kill in 1..=total {
            let after = Duration::from_millis(campaign.rng.random_range(20..600));
            campaign.until_gone(Some(after)).await;
            campaign.examine(kill == total || kill % 50 == 0).await;
        }
        campaign.load.report(total);
    });
}

fn named_points(engine: Engine, part: usize, parts: usize) {
    block_on(async move {
        let mut campaign = Campaign::start(engine, 7).await;
        let chosen: Vec<&str> = points("NAMES").into_iter().skip(part).step_by(parts).collect();
        campaign.at_points(&chosen).await;
    });
}

impl Campaign {
    async fn at_points(&mut self, chosen: &[&str]) {
        let campaign = self;
        let rounds = kills(1, 10);
        for _ in 0..rounds {
            for point in chosen {
                let count = campaign.rng.random_range(1..30);
                campaign.server.stop().await;
                campaign.server.set_env("HOLDFAST_FAILPOINT", format!("{point}:{count}"));
                // Its own start passes some points, too, and is worth a crash as well.
                let status = match campaign.server.try_launch().await {
                    Some(status) => status,
                    None => {
                        campaign.until_gone(None).await;
                        campaign.server.ended().await
                    }
                };
                assert!(!status.success(), "{point} did not end the server: {status}");
                campaign.server.unset_env("HOLDFAST_FAILPOINT");
                campaign.examine(true).await;
            }
        }
        campaign.load.report(rounds * chosen.len());
    }
}

/// The same where two names cannot be swapped in one step, nor a rename be told to replace nothing: NTFS by ntfs-3g.
#[test]
fn nothing_acknowledged_is_lost_on_a_disk_that_cannot_swap_names_when_killed_at_a_named_point() {
    const NAME: &str =
        "nothing_acknowledged_is_lost_on_a_disk_that_cannot_swap_names_when_killed_at_a_named_point";
    block_on(async {
        let mut server = Server::builder(Engine::Sqlite).prepare().await;
        let disk = Disk::made(&server.scratch().join("image"), "ntfs").and_then(|mut disk| {
            disk.plug_in_as(&server.data_dir().join("drives"), &["-t", "ntfs-3g"]).map(|()| disk)
        });
        let _disk = match disk {
            Ok(disk) => disk,
            Err(why) => return support::skip(NAME, &why),
        };
        server.launch().await;
        let mut campaign = Campaign::on(server, 11).await;
        let placing = points("NAMES").into_iter().filter(|point| !point.starts_with("catalog"));
        let chosen: Vec<&str> = placing.chain(points("OF_LINKS")).collect();
        campaign.at_points(&chosen).await;
    });
}

/// Two tests, one an engine, of each line.
macro_rules! on_both_engines {
    ($($name:ident => $run:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                let run: fn(Engine) = $run;
                run(Engine::Sqlite);
            }

            #[test]
            fn postgres() {
                let run: fn(Engine) = $run;
                run(Engine::Postgres);
            }
        }
    )+};
}

on_both_engines! {
    nothing_acknowledged_is_lost_when_killed_at_random_moments_1 => |engine| random_moments(engine, 1, 20, 667);
    nothing_acknowledged_is_lost_when_killed_at_random_moments_2 => |engine| random_moments(engine, 2, 20, 667);
    nothing_acknowledged_is_lost_when_killed_at_random_moments_3 => |engine| random_moments(engine, 3, 20, 666);
    nothing_acknowledged_is_lost_when_killed_at_a_named_point_1 => |engine| named_points(engine, 0, 2);
    nothing_acknowledged_is_lost_when_killed_at_a_named_point_2 => |engine| named_points(engine, 1, 2);
}

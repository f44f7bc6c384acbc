//! Long work: measuring a volume, ending it, going on with it after a crash, and who sees it (001-18, 001-28, 004-12).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Answer, Client, Server, both_engines, eventually, skip};

use crate::volumes::{Machine, disk, refresh, volume};

/// Free on a volume of the tests, in bytes: of the 10^12 that it is said to have.
const PLENTY: u64 = 500_000_000_000;

/// Written in one round by a test that is to be over soon.
const LITTLE: u64 = 16 << 20;

/// One that takes long enough to be interrupted, and not longer than some seconds when it is not.
fn long() -> Value {
    json!({"bytes": 1_u64 << 30, "seconds": 3})
}

/// A folder of the server's machine that is a volume.
fn place(server: &Server, name: &str) -> PathBuf {
    let place = server.scratch().canonicalize().unwrap().join(name);
    std::fs::create_dir_all(&place).unwrap();
    place
}

fn names_in(place: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(place).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn measure(client: &Client, name: &str, how: Value) -> Answer {
    client.post(&format!("/api/volumes/fs:{name}/speed-test"), how).await
}

/// Begins to measure a volume; where the job is.
async fn begun(client: &Client, name: &str, how: Value) -> String {
    let answer = measure(client, name, how).await;
    let at = answer.header("location").unwrap().to_owned();
    let job = answer.expect(202);
    assert_eq!(at, format!("/api/jobs/{}", job["id"].as_str().unwrap()));
    at
}

/// A job once its state is another than these.
async fn past(client: &Client, at: &str, states: &[&str]) -> Value {
    let look = async || {
        let job = client.get(at).await.expect(200);
        (!states.contains(&job["state"].as_str().unwrap())).then_some(job)
    };
    eventually("a job to come further", look).await
}

async fn ended(client: &Client, at: &str) -> Value {
    past(client, at, &["queued", "running"]).await
}

/// Waits until something was written.
async fn in_the_middle(client: &Client, at: &str) {
    let look = async || {
        let job = client.get(at).await.expect(200);
        assert!(matches!(job["state"].as_str(), Some("queued" | "running")), "{job}");
        (job["done"].as_u64().unwrap() > 0).then_some(())
    };
    eventually("something to be written", look).await;
}

/// Where nothing can be measured because the machine's own disk is nearly full.
fn is_full(test: &str, job: &Value) -> bool {
    let is_full = job["error"].as_str().is_some_and(|error| error.contains("nearly full"));
    if is_full {
        skip(test, "the disk of the temporary folder is nearly full");
    }
    is_full
}

/// Kinds of all that was logged about jobs, and what about volumes' speed.
async fn told(client: &Client) -> Vec<String> {
    let events = client.get("/api/events?limit=1000").await.expect(200);
    let kinds = events["items"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap());
    let about =
        |kind: &&str| kind.starts_with("job-") || matches!(*kind, "volume-speed-tested" | "volume-error");
    kinds.filter(about).map(str::to_owned).collect()
}

async fn listed(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/api/jobs?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

both_engines! {
    async fn a_volume_is_measured_and_keeps_what_was_found(builder: Builder) {
        let machine = Machine::new();
        let mut server = machine.started(builder).await;
        let admin = server.admin().await;
        let place = place(&server, "usb");
        machine.has(&[disk("a", Some(&place), PLENTY)]);
        let at = begun(&admin, "a", json!({"bytes": LITTLE})).await;
        let job = ended(&admin, &at).await;
        if is_full("a_volume_is_measured_and_keeps_what_was_found", &job) {
            return;
        }
        assert_eq!(job["state"], "finished", "{job}");
        let result = &job["result"];
        assert_eq!((&result["written_bytes"], &result["read_bytes"]), (&json!(LITTLE), &json!(LITTLE)));
        assert_eq!((&job["done"], &job["total"], &job["unit"]), (&json!(2 * LITTLE), &json!(2 * LITTLE), &json!("bytes")));
        assert_eq!((&job["owner"]["name"], &job["subject"]["name"]), (&json!("admin"), &json!("a")));
        assert!(names_in(&place).is_empty(), "its file is gone");
        let whole = |field: &str| result[field].as_f64().unwrap().round() as i64;
        let a = volume(&admin, "a").await;
        assert_eq!(a["read_speed_mbps"], whole("read_mb_per_s"));
        assert_eq!(a["write_speed_mbps"], whole("write_mb_per_s"));
        assert!(a["last_speed_test_at"].is_string());
        assert_eq!(told(&admin).await, ["job-started", "volume-speed-tested", "job-finished"]);
        admin.post("/api/volumes/fs:a/track", json!({})).await.expect(201);
        let events = admin.get("/api/events?limit=1000").await.expect(200);
        let tracked = events["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(tracked["detail"]["write_speed_mbps"], a["write_speed_mbps"], "{tracked}");
        assert_eq!(tracked["detail"]["mount_point"], json!(place));
        server.restart().await;
        let admin = server.admin().await;
        assert_eq!(admin.get(&at).await.expect(200)["result"], *result);
        assert_eq!(volume(&admin, "a").await["write_speed_mbps"], a["write_speed_mbps"]);
        // It was measured once; that can be done again.
        let at = begun(&admin, "a", json!({"bytes": LITTLE})).await;
        assert_eq!(ended(&admin, &at).await["state"], "finished");
    }

    async fn a_job_is_cancelled_while_it_runs_and_while_it_waits(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let (here, there) = (place(&server, "usb"), place(&server, "other"));
        machine.has(&[disk("a", Some(&here), PLENTY), disk("b", Some(&there), PLENTY)]);
        let runs = begun(&admin, "a", json!({"bytes": 4_u64 << 30, "seconds": 60})).await;
        let job = past(&admin, &runs, &["queued"]).await;
        if is_full("a_job_is_cancelled_while_it_runs_and_while_it_waits", &job) {
            return;
        }
        measure(&admin, "a", json!({})).await.expect_problem_named(409, "job-running");
        let waits = begun(&admin, "b", json!({})).await;
        in_the_middle(&admin, &runs).await;
        assert_eq!(admin.get(&waits).await.expect(200)["state"], "queued", "two would measure each other");
        admin.post(&format!("{waits}/cancel"), json!({})).await.expect(202);
        let waited = ended(&admin, &waits).await;
        assert_eq!((&waited["state"], &waited["started_at"]), (&json!("cancelled"), &Value::Null));
        let asked = admin.post(&format!("{runs}/cancel"), json!({})).await;
        assert_eq!(asked.header("location"), Some(runs.as_str()));
        assert_eq!(asked.expect(202)["cancel_requested"], true);
        let job = ended(&admin, &runs).await;
        assert_eq!((&job["state"], &job["result"], &job["resumable"]), (&json!("cancelled"), &Value::Null, &json!(false)));
        assert!(names_in(&here).is_empty() && names_in(&there).is_empty());
        admin.post(&format!("{runs}/cancel"), json!({})).await.expect_problem_named(409, "job-ended");
        admin.post(&format!("{runs}/resume"), json!({})).await.expect_problem_named(409, "not-interrupted");
        assert_eq!(volume(&admin, "a").await["last_speed_test_at"], Value::Null);
        assert_eq!(told(&admin).await, ["job-started", "job-cancelled", "job-cancelled"]);
        let at = begun(&admin, "a", json!({"bytes": LITTLE})).await;
        assert_eq!(ended(&admin, &at).await["state"], "finished", "the next one has its place");
    }

    async fn a_job_whose_server_was_killed_is_shown_so_and_can_be_gone_on_with(builder: Builder) {
        let machine = Machine::new();
        let mut server = machine.started(builder).await;
        let admin = server.admin().await;
        let place = place(&server, "usb");
        machine.has(&[disk("a", Some(&place), PLENTY)]);
        let at = begun(&admin, "a", long()).await;
        if is_full("a_job_whose_server_was_killed_is_shown_so_and_can_be_gone_on_with", &past(&admin, &at, &["queued"]).await) {
            return;
        }
        in_the_middle(&admin, &at).await;
        server.kill9();
        assert!(names_in(&place).is_empty(), "its file went with the process");
        // As where a file system makes no file without a name, and it died before it could take that away.
        std::fs::write(place.join(format!(".holdfast-speedtest-{}", "0".repeat(32))), "").unwrap();
        server.launch().await;
        let admin = server.admin().await;
        let job = past(&admin, &at, &["queued", "running"]).await;
        assert_eq!((&job["state"], &job["resumable"]), (&json!("interrupted"), &json!(true)));
        assert_eq!(listed(&admin, "state=interrupted").await.len(), 1);
        let again = admin.post(&format!("{at}/resume"), json!({})).await;
        assert_eq!(again.header("location"), Some(at.as_str()));
        again.expect(202);
        let job = ended(&admin, &at).await;
        assert_eq!((&job["state"], &job["error"]), (&json!("finished"), &Value::Null));
        assert!(names_in(&place).is_empty(), "what was left is gone");
        let expected = ["job-started", "job-interrupted", "job-started", "volume-speed-tested", "job-finished"];
        assert_eq!(told(&admin).await, expected);
    }

    async fn a_job_is_interrupted_by_the_end_of_its_server_and_may_be_given_up(builder: Builder) {
        let machine = Machine::new();
        let mut server = machine.started(builder).await;
        let admin = server.admin().await;
        let place = place(&server, "usb");
        machine.has(&[disk("a", Some(&place), PLENTY)]);
        let at = begun(&admin, "a", long()).await;
        if is_full("a_job_is_interrupted_by_the_end_of_its_server_and_may_be_given_up", &past(&admin, &at, &["queued"]).await) {
            return;
        }
        in_the_middle(&admin, &at).await;
        server.restart().await;
        let admin = server.admin().await;
        let job = admin.get(&at).await.expect(200);
        assert_eq!((&job["state"], &job["finished_at"]), (&json!("interrupted"), &Value::Null), "{job}");
        assert!(names_in(&place).is_empty());
        let job = admin.post(&format!("{at}/cancel"), json!({})).await.expect(202);
        assert_eq!((&job["state"], &job["resumable"]), (&json!("cancelled"), &json!(false)));
        admin.post(&format!("{at}/resume"), json!({})).await.expect_problem_named(409, "not-interrupted");
        assert_eq!(told(&admin).await, ["job-started", "job-interrupted", "job-cancelled"]);
    }

    async fn a_volume_that_cannot_be_measured_is_refused_and_nothing_is_begun(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let (_, eve) = server.member().await;
        let place = place(&server, "usb");
        let closed = json!({"name": "closed", "fingerprint": "fs:closed", "kind": "usb",
            "mounts": [{"mount_point": place, "read_only": true}]});
        let locked = json!({"name": "locked", "fingerprint": "fs:locked", "kind": "usb", "read_only": true,
            "mounts": [{"mount_point": place}]});
        machine.has(&[disk("gone", Some(&place), PLENTY)]);
        refresh(&admin).await;
        machine.has(&[disk("a", Some(&place), PLENTY), disk("bare", None, PLENTY), disk("full", Some(&place), 1 << 30), closed, locked]);
        // It is looked at by itself: what was pulled out a moment ago is not measured at its old place.
        measure(&admin, "gone", json!({})).await.expect_problem_named(409, "volume-offline");
        measure(&admin, "bare", json!({})).await.expect_problem_named(409, "volume-not-mounted");
        measure(&admin, "closed", json!({})).await.expect_problem_named(409, "volume-read-only");
        measure(&admin, "locked", json!({})).await.expect_problem_named(409, "volume-read-only");
        let full = measure(&admin, "full", json!({})).await.expect_problem_named(409, "volume-nearly-full");
        assert_eq!((&full["available"], &full["floor"]), (&json!(1 << 30), &json!(50_000_000_000_u64)));
        measure(&admin, "none", json!({})).await.expect_problem(404);
        for how in [json!({"bytes": 0}), json!({"bytes": u64::MAX}), json!({"seconds": 0}), json!({"seconds": 121}), json!({"bytes": -1}), json!({"bytes": "1"})] {
            measure(&admin, "a", how).await.expect_problem(422);
        }
        measure(&eve, "a", json!({})).await.expect_problem_named(403, "needs-admin");
        assert!(listed(&admin, "kind=speed-test").await.is_empty());
        assert!(told(&admin).await.is_empty());
        assert!(names_in(&place).is_empty());
    }

    async fn a_volume_that_fails_is_told_of_as_such(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        machine.has(&[disk("a", Some(&server.scratch().join("not there")), PLENTY)]);
        let at = begun(&admin, "a", json!({"bytes": LITTLE})).await;
        let job = ended(&admin, &at).await;
        assert_eq!((&job["state"], &job["resumable"]), (&json!("failed"), &json!(false)));
        assert!(job["error"].as_str().unwrap().contains("could not be measured"), "{job}");
        assert_eq!(told(&admin).await, ["job-started", "volume-error", "job-failed"]);
        assert_eq!(volume(&admin, "a").await["last_speed_test_at"], Value::Null);
    }

    async fn jobs_are_listed_from_the_newest_on_and_others_do_not_see_them(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let (_, eve) = server.member().await;
        machine.has(&[disk("a", Some(&server.scratch().join("not there")), PLENTY)]);
        let mut made = Vec::new();
        for _ in 0..3 {
            let at = begun(&admin, "a", json!({"bytes": LITTLE})).await;
            ended(&admin, &at).await;
            made.push(at);
        }
        made.reverse();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/api/jobs?kind=speed-test&limit=2&cursor={cursor}")).await.expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().map(|job| format!("/api/jobs/{}", job["id"].as_str().unwrap())));
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, made);
        assert_eq!(listed(&admin, "state=failed").await.len(), 3);
        assert!(listed(&admin, "state=finished").await.is_empty() && listed(&admin, "kind=other").await.is_empty());
        admin.get("/api/jobs?state=ended").await.expect_problem(422);
        admin.get("/api/jobs?cursor=x").await.expect_problem(400);
        admin.get("/api/jobs/x").await.expect_problem(404);
        admin.get(&format!("/api/jobs/{}", "0".repeat(32))).await.expect_problem(404);
        assert!(listed(&eve, "").await.is_empty(), "neither others' jobs nor what the server does by itself");
        eve.get(&made[0]).await.expect_problem(404);
        eve.post(&format!("{}/cancel", made[0]), json!({})).await.expect_problem(404);
        eve.post(&format!("{}/resume", made[0]), json!({})).await.expect_problem(404);
        server.client().get("/api/jobs").await.expect_problem(401);
    }

    async fn the_monitor_of_volumes_is_shown_with_its_heartbeat_and_writes_none(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder.env("HOLDFAST_VOLUMES_REFRESH_INTERVAL", "1")).await;
        let admin = server.admin().await;
        let monitor = async || {
            let mut shown = listed(&admin, "kind=volume-monitor&state=running").await;
            assert_eq!(shown.len(), 1);
            shown.remove(0)
        };
        let rounds = async |more: u64| {
            let before = monitor().await["done"].as_u64().unwrap();
            let look = async || Some(monitor().await).filter(|now| now["done"].as_u64().unwrap() >= before + more);
            eventually("the monitor to go round", look).await
        };
        let before = rounds(1).await;
        let wrote = || std::fs::metadata(server.data_dir().join("catalog.db-wal")).and_then(|log| log.modified()).ok();
        let written = wrote();
        let after = rounds(2).await;
        assert_eq!(wrote(), written, "a disk may sleep");
        assert!(after["heartbeat_at"].as_str() > before["heartbeat_at"].as_str(), "{before} {after}");
        let at = format!("/api/jobs/{}", after["id"].as_str().unwrap());
        assert_eq!(admin.get(&at).await.expect(200)["kind"], "volume-monitor");
        admin.post(&format!("{at}/cancel"), json!({})).await.expect_problem_named(409, "not-cancellable");
        admin.post(&format!("{at}/resume"), json!({})).await.expect_problem_named(409, "not-interrupted");
        assert_eq!(listed(&admin, "limit=1").await.len(), 1, "it is on the first page");
    }

    async fn a_server_that_looks_at_no_disks_measures_none(server: Server) {
        let admin = server.admin().await;
        measure(&admin, "a", json!({})).await.expect_problem_named(409, "no-volumes");
        assert!(listed(&admin, "").await.is_empty(), "nor has it a monitor");
    }
}

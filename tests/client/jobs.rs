//! Long work of the server, from the command line.

use serde_json::{Value, json};
use support::{Engine, Server, block_on, skip};

use crate::fake::{Fake, json as in_json};
use crate::tool::Tool;

/// A server that takes a folder for a volume called `blue`, and one that is not there for `grey`.
async fn with_volumes(test: impl AsyncFnOnce(Server, Tool)) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let told = folder.path().join("volumes.json");
    let volume = |name: &str, mounts: Value| json!({"name": name, "fingerprint": format!("fs:{name}"), "kind": "usb", "mounts": mounts});
    let volumes = [
        volume("blue", json!([{"mount_point": place}])),
        volume("broken", json!([{"mount_point": place.join("none")}])),
        volume("grey", json!([])),
    ];
    std::fs::write(&told, json!({"volumes": volumes}).to_string()).unwrap();
    let server = Server::builder(Engine::Sqlite).env("HOLDFAST_VOLUMES_SOURCE", told.to_str().unwrap());
    let server = server.start().await;
    let tool = Tool::logged_in(&server).await;
    server.admin().await.post("/api/volumes/refresh", json!({})).await.expect(200);
    test(server, tool).await;
}

const LITTLE: [&str; 2] = ["--bytes", "16777216"];

#[test]
fn a_volume_is_measured_by_its_name_and_its_job_is_listed() {
    block_on(with_volumes(async |_, tool| {
        let done = tool.run(&[&["volumes", "speed-test", "blue"][..], &LITTLE].concat()).await;
        if done.err.contains("nearly full") {
            skip("a_volume_is_measured_by_its_name_and_its_job_is_listed", "the disk is nearly full");
            return;
        }
        let told = done.ok().out;
        assert!(told.starts_with("blue: writes ") && told.contains(" MB/s, reads "), "{told}");
        let found = tool.json(&[&["volumes", "speed-test", "fs:blue"][..], &LITTLE].concat()).await;
        assert_eq!(found["written_bytes"], 16_777_216);
        assert!(tool.run(&["volumes"]).await.ok().out.contains(" MB/s"));
        let jobs = tool.json(&["jobs", "list", "--kind", "speed-test"]).await;
        assert_eq!(jobs.as_array().unwrap().len(), 2);
        assert_eq!((&jobs[0]["state"], &jobs[0]["subject"]["name"]), (&json!("finished"), &json!("blue")));
        let id = jobs[0]["id"].as_str().unwrap();
        assert_eq!(tool.json(&["jobs", "show", id]).await["result"]["written_bytes"], 16_777_216);
        let shown = tool.run(&["jobs", "show", id]).await.ok().out;
        assert!(shown.contains("32.0 MiB of 32.0 MiB"), "{shown}");
        tool.run(&["jobs", "cancel", id]).await.failed(4, &[id, "has ended"]);
        tool.run(&["jobs", "resume", id]).await.failed(4, &["interrupted"]);
    }));
}

#[test]
fn what_cannot_be_measured_fails_with_the_code_for_it() {
    block_on(with_volumes(async |_, tool| {
        tool.run(&["volumes", "speed-test", "grey"]).await.failed(4, &["grey", "not mounted"]);
        tool.run(&["volumes", "speed-test", "green"]).await.failed(3, &["green"]);
        tool.run(&["volumes", "speed-test", "blue", "--bytes", "1"]).await.failed(1, &["bytes"]);
        tool.run(&["volumes", "speed-test", "broken"]).await.failed(1, &["broken", "could not be measured"]);
        tool.run(&["volumes", "--tracked", "speed-test", "blue"]).await.failed(2, &[]);
        tool.run(&["jobs", "show", "x"]).await.failed(2, &["x"]);
        let unknown = "01a217c2-890f-7498-b024-290fe2a74347";
        tool.run(&["jobs", "show", unknown]).await.failed(3, &[unknown]);
        tool.run(&["jobs", "list", "--only", "ended"]).await.failed(1, &["state"]);
        let listed = tool.run(&["jobs"]).await.ok().out;
        assert!(listed.contains("volume-monitor") && listed.contains("failed"), "{listed}");
    }));
}

/// A server whose job stands like this as soon as it was begun.
async fn ending(state: &'static str, result: &'static str) -> (Fake, Tool) {
    let id = "01a217c2-890f-7498-b024-290fe2a74347";
    let fake = Fake::start(move |head| {
        let job = |state: &str| {
            format!(
                r#"{{"id": "{id}", "kind": "speed-test", "subject": {{"name": "blue"}}, "state": "{state}", "done": 0,
                    "total": 8, "unit": "bytes", "result": {result}}}"#
            )
        };
        let volume = format!(
            r#"{{"items": [{{"id": "{id}", "fingerprint": "fs:blue", "volume_name": "blue", "kind": "usb", "is_online": true,
                "is_mounted": true, "mounts": []}}], "next": null}}"#
        );
        match () {
            () if head.starts_with("POST") => in_json(202, &job("queued")),
            () if head.contains("/api/jobs/") => in_json(200, &job(state)),
            () => in_json(200, &volume),
        }
    });
    let fake = fake.await;
    let tool = fake.device().await;
    (fake, tool)
}

#[test]
fn a_job_that_comes_to_another_end_is_no_success() {
    block_on(async {
        let measure = ["volumes", "speed-test", "blue"];
        let (fake, tool) = ending("interrupted", "null").await;
        tool.run(&measure).await.failed(6, &["blue", "stopped", "holdfast jobs resume 01a217c2-"]);
        assert_eq!(fake.asked("POST /api/volumes/").len(), 1);
        let (_fake, tool) = ending("cancelled", "null").await;
        tool.run(&measure).await.failed(1, &["cancelled"]);
        // One that says that it is done, and not what it found.
        for nonsense in ["null", "[]", "\"fast\""] {
            let (_fake, tool) = ending("finished", nonsense).await;
            tool.run(&measure).await.failed(1, &["blue", "does not say"]);
        }
    });
}

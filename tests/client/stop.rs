//! Somebody loses patience.

use support::{block_on, eventually};

use crate::fake::{Answer, Fake, answer, json};
use crate::tool::{finished, names_in};

#[test]
fn a_download_that_is_interrupted_leaves_the_old_file_and_nothing_else() {
    block_on(async {
        let entry = r#"{"entries": [{"path": "/a.bin", "kind": "file", "size": 1000000, "modified_at": "2026-01-01T00:00:00Z",
            "mtime_ns": 0, "id": "01a217c2-890f-7498-b024-290fe2a74347"}]}"#;
        let fake = Fake::start(move |head| match head.contains("/files/") {
            true => Answer::Stall(answer(200, &[("Content-Length", "1000000")], vec![7; 5000])),
            false => json(200, entry),
        })
        .await;
        let tool = fake.device().await;
        tool.run(&["config", "unset", "silence"]).await.ok();
        tool.write("a.bin", "old");
        for signal in ["INT", "TERM"] {
            let arguments = ["get", "-f", "a.bin"];
            let child = tool.command(&arguments).spawn().unwrap();
            let pid = child.id().unwrap().to_string();
            let (here, found) = (tool.here(), &|| names_in(&tool.here()).len() == 2);
            eventually("the download to have begun", || async { found().then_some(()) }).await;
            assert!(
                std::process::Command::new("kill")
                    .args([&format!("-{signal}"), &pid])
                    .status()
                    .unwrap()
                    .success()
            );
            finished(child, &arguments).await.failed(130, &["interrupted"]);
            assert_eq!(names_in(&here), ["a.bin"]);
            assert_eq!(tool.read("a.bin"), "old");
        }
    });
}

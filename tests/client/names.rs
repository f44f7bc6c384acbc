//! Names that scripts and terminals stumble over.

use crate::tool::with_server;

const NAMES: [&str; 9] = [
    "two words.txt",
    "👩\u{200d}👧 Übung.txt",
    "50% #1?.txt",
    "-x",
    "line\nfeed",
    "a:b.txt",
    "photo\u{202e}gpj.exe",
    "\u{1b}[2J",
    "back\\slash\"quote'",
];

#[test]
fn a_file_may_be_called_anything() {
    with_server(async |_, tool| {
        for name in NAMES {
            tool.write(name, name);
            // From here and in a drive, a dash is kept from being an option in the two ways that there are.
            let local = format!("./{name}");
            tool.run(&["put", &local, &format!("/{name}")]).await.ok();
            tool.run(&["put", "--", name, &format!("home:second {name}")]).await.ok();
            std::fs::remove_file(tool.here().join(name)).unwrap();
        }
        let listed = tool.json(&["ls"]).await;
        for name in NAMES {
            assert!(
                listed.as_array().unwrap().iter().any(|entry| entry["path"] == format!("/{name}")),
                "{name}"
            );
            tool.run(&["get", &format!("home:{name}")]).await.ok();
            assert_eq!(tool.read(name), name);
            tool.run(&["mv", &format!("/{name}"), &format!("/moved {name}")]).await.ok();
            tool.run(&["history", &format!("/moved {name}")]).await.ok();
            tool.run(&["rm", &format!("/moved {name}")]).await.ok();
            tool.run(&["restore", &format!("/moved {name}"), "--to", &format!("/{name}")]).await.ok();
        }
    });
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    with_server(async |_, tool| {
        for name in NAMES {
            tool.write(name, name);
            let put = tool.run(&["put", &format!("./{name}"), &format!("/{name}")]).await.ok();
            assert_eq!(put.out.lines().count(), 1, "{:?}", put.out);
        }
        let listed = tool.run(&["ls", "-l"]).await.ok().out;
        assert_eq!(listed.lines().count(), NAMES.len());
        assert!(!listed.contains(['\u{1b}', '\u{202e}']), "{listed:?}");
        assert!(listed.contains("photo\\u{202e}gpj.exe") && listed.contains("line\\nfeed"), "{listed}");
        let error = tool.run(&["ls", "/\u{1b}[2J\n/nope"]).await.failed(3, &["\\u{1b}[2J\\n"]);
        assert!(!error.err.contains('\u{1b}'));
    });
}

#[test]
fn what_cannot_be_a_path_is_refused_before_anything_is_asked() {
    with_server(async |mut server, tool| {
        server.stop().await;
        tool.run(&["get", "../secret"]).await.failed(2, &["../secret", ".."]);
        tool.run(&["ls", "a//b"]).await.failed(2, &["empty component"]);
        tool.run(&["rm", ".holdfast/drive.json"]).await.failed(2, &["reserved"]);
        tool.run(&["mkdir", "home:"]).await.failed(2, &["the drive itself"]);
    });
}

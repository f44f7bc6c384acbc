//! Versions and the trash.

use crate::tool::{Tool, with_server};

async fn put(tool: &Tool, content: &str, to: &str) {
    tool.write("content", content);
    tool.run(&["put", "-p", "content", to]).await.ok();
}

#[test]
fn a_history_lists_what_a_file_held_and_a_version_comes_back() {
    with_server(async |_, tool| {
        for content in ["one", "two", "three"] {
            put(&tool, content, "a.txt").await;
        }
        let versions = tool.json(&["history", "a.txt"]).await;
        let numbers: Vec<_> =
            versions.as_array().unwrap().iter().map(|v| v["version_number"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert_eq!((&versions[0]["current"], &versions[1]["current"]), (&true.into(), &false.into()));
        let shown = tool.run(&["history", "a.txt"]).await.ok().out;
        assert!(shown.lines().nth(1).unwrap().starts_with("3        *"), "{shown}");
        assert_eq!(tool.run(&["get", "a.txt", "--version", "1", "-"]).await.ok().out, "one");
        let id = versions[1]["id"].as_str().unwrap();
        assert_eq!(tool.run(&["get", "a.txt", "--version", id, "-"]).await.ok().out, "two");
        assert_eq!(tool.json(&["restore", "a.txt", "--version", "1"]).await["path"], "/a.txt");
        assert_eq!(tool.run(&["get", "a.txt", "-"]).await.ok().out, "one");
        tool.run(&["restore", "a.txt", "--version", id, "--to", "old/a.txt"]).await.ok();
        assert_eq!(tool.run(&["get", "old/a.txt", "-"]).await.ok().out, "two");
        tool.run(&["restore", "a.txt", "--version", id, "--to", "old/a.txt"]).await.ok();
        tool.run(&["restore", "a.txt", "--version", "3", "--to", "old/a.txt"])
            .await
            .failed(4, &["is there already"]);
        assert!(crate::tool::names_in(&tool.state()).iter().all(|name| !name.contains("part")));
    });
}

#[test]
fn a_version_that_is_none_is_told_with_where_to_look() {
    with_server(async |_, tool| {
        put(&tool, "one", "a.txt").await;
        tool.run(&["restore", "a.txt", "--version", "7"])
            .await
            .failed(3, &["no version 7", "holdfast history"]);
        tool.run(&["restore", "a.txt", "--version", "latest"]).await.failed(2, &["\"latest\" is neither"]);
        tool.run(&["restore", "a.txt", "--to", "other:b.txt"]).await.failed(2, &["another drive"]);
        tool.run(&["history", "nope"]).await.failed(3, &["home:/nope"]);
    });
}

#[test]
fn a_number_means_the_file_that_is_there_now_and_not_an_earlier_one_of_that_name() {
    with_server(async |_, tool| {
        put(&tool, "first file", "a.txt").await;
        tool.run(&["mv", "a.txt", "elsewhere.txt"]).await.ok();
        put(&tool, "second file", "a.txt").await;
        assert_eq!(tool.run(&["get", "a.txt", "--version", "1", "-"]).await.ok().out, "second file");
    });
}

#[test]
fn what_was_deleted_comes_back_by_its_path() {
    with_server(async |_, tool| {
        put(&tool, "a", "docs/a.txt").await;
        put(&tool, "b", "b.txt").await;
        assert_eq!(tool.run(&["trash"]).await.ok().out, "nothing was deleted\n");
        tool.run(&["rm", "-r", "docs", "b.txt"]).await.ok();
        let listed = tool.json(&["trash", "list"]).await;
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert!(tool.run(&["trash", "list", "home:"]).await.ok().out.contains("/docs/"));
        tool.run(&["restore", "docs/a.txt"]).await.failed(3, &["holdfast restore home:/docs"]);
        tool.run(&["restore", "docs"]).await.ok();
        let id =
            listed.as_array().unwrap().iter().find(|entry| entry["path"] == "/b.txt").unwrap()["id"].clone();
        tool.run(&["trash", "restore", id.as_str().unwrap(), "--to", "c/b.txt"]).await.ok();
        assert_eq!(tool.run(&["ls", "-R"]).await.ok().out, "c/\nc/b.txt\ndocs/\ndocs/a.txt\n");
        tool.run(&["restore", "docs"]).await.failed(3, &["nothing that was at home:/docs is in the trash"]);
    });
}

#[test]
fn what_is_brought_back_replaces_nothing() {
    with_server(async |_, tool| {
        put(&tool, "old", "docs/a.txt").await;
        tool.run(&["rm", "-r", "docs"]).await.ok();
        put(&tool, "new", "docs/a.txt").await;
        tool.run(&["restore", "docs"]).await.failed(4, &["home:/docs", "--to"]);
        tool.run(&["restore", "docs", "--to", "old docs"]).await.ok();
        assert_eq!(tool.run(&["get", "docs/a.txt", "-"]).await.ok().out, "new");
        assert_eq!(tool.run(&["get", "old docs/a.txt", "-"]).await.ok().out, "old");
    });
}

#[test]
fn a_file_that_was_deleted_and_written_anew_has_its_old_content_in_its_history() {
    with_server(async |_, tool| {
        put(&tool, "old", "a.txt").await;
        tool.run(&["rm", "a.txt"]).await.ok();
        put(&tool, "new", "a.txt").await;
        tool.run(&["restore", "a.txt"]).await.failed(3, &["--version"]);
        let versions = tool.json(&["history", "a.txt"]).await;
        let old = versions.as_array().unwrap().last().unwrap()["id"].clone();
        tool.run(&["restore", "a.txt", "--version", old.as_str().unwrap()]).await.ok();
        assert_eq!(tool.run(&["get", "a.txt", "-"]).await.ok().out, "old");
    });
}

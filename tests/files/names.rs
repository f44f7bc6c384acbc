//! Every name that a file system can hold is kept as it was given.

use futures_util::future::join_all;
use support::{both_engines, plain};

use crate::home::{Home, encoded, file, text};

/// Names that have been other programs' undoing.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "two words.txt",
        " leading and trailing ",
        "100%.txt",
        "%41%2e%2e",
        "what?.txt",
        "a#b.txt",
        "a+b&c=d;e.txt",
        "quote\"s 'n' `ticks`",
        "back\\slash",
        "new\nline\ttab",
        "\u{7f}\u{1}",
        "-rf",
        "~",
        "*",
        "$HOME",
        "...",
        ".hidden",
        "trailing dot.",
        "a:b|c<d>e",
        "CON",
        "aux.txt",
        "\u{e4}rger.txt",
        "a\u{308}rger.txt",
        "\u{65e5}\u{672c}\u{8a9e}.txt",
        "\u{1f980}\u{200d}\u{fe0f}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}cod.exe",
        "\u{feff}bom",
        "Case",
        "case",
        "CASE",
        ".holdfast.txt",
        "holdfast",
        "resolve",
        "content",
        "versions",
        "restore",
        "files",
        "tree",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(255));
    names.push("\u{e4}".repeat(127));
    names
}

both_engines! {
    async fn a_name_is_kept_byte_by_byte(server: Server) {
        let home = Home::of(&server).await;
        let home = &home;
        join_all(names().into_iter().map(|name| async move {
            let (path, content) = (format!("/{name}"), format!("of {name}"));
            let made = home.client.put(&file(&path), content.clone()).await.expect(201);
            assert_eq!(made["path"], path);
            assert_eq!(home.read(&path).await, content);
        })).await;
        let mut expected: Vec<String> = names().iter().map(|name| format!("/{name}")).collect();
        expected.sort();
        assert_eq!(home.paths().await, expected);
        let on_disk: Vec<String> = plain(&home.root).into_keys().collect();
        assert_eq!(on_disk, expected);
        join_all(expected.iter().map(|path| home.remove(path))).await;
        assert!(plain(&home.root).is_empty());
        assert_eq!(home.trash().await.len(), names().len());
    }

    async fn such_names_do_for_folders_and_in_bodies_too(server: Server) {
        let home = Home::of(&server).await;
        let home = &home;
        join_all(names().into_iter().map(|name| async move {
            let folder = format!("/{name}");
            assert_eq!(home.folder(&folder).await["path"], folder);
            let inside = format!("{folder}/{name}");
            home.write(&inside, &name).await;
            let to = format!("{folder}/other {}", name.chars().take(50).collect::<String>());
            home.rename(&inside, &to).await.expect(200);
            assert_eq!(home.read(&to).await, name);
            home.copy(&to, &inside).await.expect(201);
            let listed = home.client.get(&format!("/api/drives/home/tree{}", encoded(&folder))).await.expect(200);
            let mut expected = [inside, to];
            expected.sort();
            let listed: Vec<&str> = listed["entries"].as_array().unwrap().iter().map(|entry| text(&entry["path"])).collect();
            assert_eq!(listed, expected);
        })).await;
        home.is_plain().await;
    }

    async fn slashes_in_an_address_may_be_raw_or_encoded(server: Server) {
        let home = Home::with(&server, &[("/A/B c/d.txt", "d")]).await;
        for address in ["A/B%20c/d.txt", "A%2FB%20c%2Fd.txt", "A%2fB%20c/d.txt", "/A/B%20c/d.txt", "%41/B%20c/%64.txt"] {
            let answer = home.client.get(&format!("/api/drives/home/files/{address}")).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "d"), "{address}");
        }
        home.client.put("/api/drives/home/files/A%2FB%20c%2Fe.txt", "e").await.expect(201);
        assert_eq!(home.read("/A/B c/e.txt").await, "e");
        let listed = home.client.get("/api/drives/home/tree/A%2FB%20c").await.expect(200);
        assert_eq!(listed["entries"].as_array().unwrap().len(), 2);
        home.client.delete("/api/drives/home/files/A%2FB%20c%2Fe.txt").await.expect(204);
        home.client.get("/api/drives/home/files/A/B%20c/e.txt").await.expect_problem(404);
    }

    async fn twins_by_case_or_form_are_two_files(server: Server) {
        let home = Home::with(&server, &[("/note.txt", "lower"), ("/Note.txt", "upper"), ("/\u{e4}.txt", "composed"),
            ("/a\u{308}.txt", "decomposed")]).await;
        home.write("/note.txt", "lower, changed").await;
        home.remove("/\u{e4}.txt").await;
        assert_eq!(home.read("/note.txt").await, "lower, changed");
        assert_eq!(home.read("/Note.txt").await, "upper");
        assert_eq!(home.read("/a\u{308}.txt").await, "decomposed");
        home.rename("/Note.txt", "/NOTE.txt").await.expect(200);
        assert_eq!(home.paths().await, ["/NOTE.txt", "/a\u{308}.txt", "/note.txt"]);
        home.is_plain().await;
    }

    async fn a_deep_tree_is_no_burden(server: Server) {
        let home = Home::of(&server).await;
        let deep = "/folder".repeat(150);
        home.write(&format!("{deep}/a.txt"), "deep").await;
        assert_eq!(home.read(&format!("{deep}/a.txt")).await, "deep");
        assert_eq!(home.tree().await.len(), 151);
        home.rename("/folder", "/other").await.expect(200);
        let moved = format!("/other{}/a.txt", "/folder".repeat(149));
        assert_eq!(home.read(&moved).await, "deep");
        home.write(&moved, "deep, changed").await;
        assert_eq!(home.read(&moved).await, "deep, changed");
        home.is_plain().await;
        home.remove("/other").await;
        assert!(plain(&home.root).is_empty());
    }
}

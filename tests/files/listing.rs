//! Lists of what is there, whole and in pages.

use serde_json::Value;
use support::{both_engines, eventually};

use crate::home::{Home, encoded, items, text};

/// In the order of a listing: every folder before what is in it, names by their bytes.
const PATHS: [&str; 13] = [
    "/A!",
    "/A!/z",
    "/B",
    "/B/1",
    "/B/10",
    "/B/2",
    "/B/C",
    "/B/C/deep",
    "/B!",
    "/Empty",
    "/a",
    "/a b",
    "/\u{e4}",
];

async fn filled(server: &support::Server) -> Home {
    let home = Home::of(server).await;
    for path in ["/a b", "/\u{e4}", "/B/10", "/B/C/deep", "/a", "/B/2", "/A!/z", "/B!", "/B/1"] {
        home.write(path, path).await;
    }
    home.folder("/Empty").await;
    home
}

fn paths(page: &Value) -> Vec<String> {
    items(&page["entries"]).iter().map(|entry| text(&entry["path"]).to_owned()).collect()
}

async fn list(home: &Home, path: &str, query: &str) -> Value {
    home.client.get(&format!("/api/drives/home/tree{}?{query}", encoded(path))).await.expect(200)
}

/// Every page of a listing; each but the last is full.
async fn pages(home: &Home, path: &str, query: &str, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(home, path, &format!("{query}&limit={limit}{cursor}")).await;
        let found = paths(&page);
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(found.len(), limit);
                cursor = format!("&cursor={next}");
            }
            None => assert!(found.len() <= limit),
        }
        all.extend(found);
        if page["next"].is_null() {
            return all;
        }
    }
}

both_engines! {
    async fn a_folder_is_listed_alone_or_with_all_beneath_it(server: Server) {
        let home = filled(&server).await;
        let whole = list(&home, "", "recursive=true").await;
        assert_eq!(paths(&whole), PATHS);
        assert_eq!(whole["next"], Value::Null);
        assert_eq!(paths(&list(&home, "/", "recursive=true").await), PATHS);
        let top: Vec<&str> = PATHS.into_iter().filter(|path| path.matches('/').count() == 1).collect();
        assert_eq!(paths(&list(&home, "", "").await), top);
        assert_eq!(paths(&list(&home, "", "recursive=false").await), top);
        assert_eq!(paths(&list(&home, "/B", "").await), ["/B/1", "/B/10", "/B/2", "/B/C"]);
        assert_eq!(paths(&list(&home, "/B", "recursive=true").await), ["/B/1", "/B/10", "/B/2", "/B/C", "/B/C/deep"]);
        assert!(paths(&list(&home, "/Empty", "recursive=true").await).is_empty());
        home.is_plain().await;
    }

    async fn of_a_file_the_file_is_listed(server: Server) {
        let home = filled(&server).await;
        let listed = list(&home, "/B/10", "").await;
        assert_eq!(items(&listed["entries"]), &[home.entry("/B/10").await]);
        assert_eq!(listed["next"], Value::Null);
    }

    async fn an_entry_tells_what_is_there(server: Server) {
        let home = Home::of(&server).await;
        let made = home.write("/A/a.txt", "content").await;
        let (folder, entry) = (home.entry("/A").await, home.entry("/A/a.txt").await);
        assert_eq!(folder["kind"], "folder");
        assert_eq!(entry["kind"], "file");
        for field in ["path", "hash", "size", "modified_at", "mtime_ns", "id"] {
            assert_eq!(entry[field], made[field], "{field}");
        }
    }

    async fn pages_of_any_size_make_the_whole(server: Server) {
        let home = filled(&server).await;
        for limit in [1, 2, 3, 7, 12, 13, 14] {
            assert_eq!(pages(&home, "", "recursive=true", limit).await, PATHS, "pages of {limit}");
            assert_eq!(pages(&home, "/B", "", limit).await, ["/B/1", "/B/10", "/B/2", "/B/C"], "pages of {limit}");
        }
        assert_eq!(pages(&home, "/Empty", "", 5).await, [""; 0]);
    }

    async fn a_large_folder_comes_in_pages_without_gap_or_repeat(server: Server) {
        let mut server = server;
        let home = Home::of(&server).await;
        let mut expected: Vec<String> = (0..330).map(|n| format!("/Large/{n}")).collect();
        expected.sort();
        // Put there while the server is away: that is quicker than so many uploads.
        server.stop().await;
        std::fs::create_dir(home.root.join("Large")).unwrap();
        for path in &expected {
            std::fs::write(home.root.join(&path[1..]), "x").unwrap();
        }
        server.launch().await;
        let home = home.at(&server);
        eventually("all to be found", || async { (home.tree().await.len() == 331).then_some(()) }).await;
        assert_eq!(pages(&home, "/Large", "", 100).await, expected);
        assert_eq!(pages(&home, "/Large", "", 257).await, expected);
        assert_eq!(paths(&list(&home, "/Large", "").await), expected);
    }

    async fn what_changes_between_two_pages_neither_repeats_nor_hides_the_rest(server: Server) {
        let home = filled(&server).await;
        let first = list(&home, "", "recursive=true&limit=5").await;
        assert_eq!(paths(&first), PATHS[..5]);
        // Before, at and behind the place where the page ended.
        home.remove("/A!").await;
        home.remove("/B/10").await;
        home.write("/B/0", "new, before").await;
        home.write("/B/15", "new, behind").await;
        home.write("/a", "changed").await;
        let rest = list(&home, "", &format!("recursive=true&cursor={}", text(&first["next"]))).await;
        let mut expected = vec!["/B/15"];
        expected.extend(&PATHS[5..]);
        assert_eq!(paths(&rest), expected);
        // Even when the folder in which it ended is gone.
        let first = list(&home, "", "recursive=true&limit=3").await;
        assert_eq!(paths(&first), ["/B", "/B/0", "/B/1"]);
        home.remove("/B").await;
        let rest = list(&home, "", &format!("recursive=true&cursor={}", text(&first["next"]))).await;
        assert_eq!(paths(&rest), PATHS[8..]);
    }

    async fn what_is_not_there_cannot_be_listed(server: Server) {
        let home = filled(&server).await;
        for path in ["none", "B/none", "B/10/below", "b", "B%20"] {
            home.client.get(&format!("/api/drives/home/tree/{path}")).await.expect_problem(404);
        }
        home.client.get("/api/drives/attic/tree").await.expect_problem(404);
    }

    async fn a_page_that_cannot_be_is_refused(server: Server) {
        let home = filled(&server).await;
        let elsewhere = list(&home, "/B", "limit=1").await;
        for query in ["cursor=nonsense", "cursor=%ff", "limit=many", "limit=-1", "recursive=perhaps", "recursive="] {
            home.client.get(&format!("/api/drives/home/tree?{query}")).await.expect_problem(400);
        }
        home.client.get(&format!("/api/drives/home/tree/Empty?cursor={}", text(&elsewhere["next"]))).await.expect_problem(400);
        assert_eq!(paths(&list(&home, "", "recursive=true&limit=1000000").await), PATHS);
    }
}

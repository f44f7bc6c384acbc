//! COPY and MOVE onto something that is there: what was there is replaced as a whole, and never lost.

use support::{Client, both_engines, home_of, plain};

use crate::mount::{dav, mounted};

/// A folder `to` with two files, and a folder `from` with others.
async fn two_trees(ada: &Client) {
    for folder in ["from", "from/sub", "to", "to/sub", "to/only"] {
        dav(ada, "MKCOL", &format!("/dav/home/{folder}"), &[], "").await;
    }
    for (path, content) in [
        ("from/x", "new x"),
        ("from/sub/y", "new y"),
        ("to/x", "old x"),
        ("to/sub/y", "old y"),
        ("to/only/z", "old z"),
    ] {
        assert_eq!(dav(ada, "PUT", &format!("/dav/home/{path}"), &[], content).await.status, 201);
    }
}

async fn trash(ada: &Client) -> Vec<(String, String)> {
    let trash = ada.get("/api/drives/home/trash").await.expect(200);
    let text = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap().to_owned();
    trash["items"].as_array().unwrap().iter().map(|item| (text(item, "path"), text(item, "id"))).collect()
}

both_engines! {
    async fn what_a_tree_replaces_is_in_the_trash_as_a_whole(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        for method in ["COPY", "MOVE"] {
            two_trees(&ada).await;
            let to = format!("{}/dav/home/to", server.url());
            let kept = dav(&ada, method, "/dav/home/from", &[("destination", &to), ("overwrite", "F")], "").await;
            assert_eq!(kept.status, 412, "{method}");
            assert_eq!(std::fs::read_to_string(root.join("to/x")).unwrap(), "old x");
            assert_eq!(dav(&ada, method, "/dav/home/from", &[("destination", &to), ("overwrite", "T")], "").await.status, 204);
            let there = plain(&root);
            assert_eq!(there["/to/x"], Some(b"new x".to_vec()), "{method}");
            assert_eq!(there["/to/sub/y"], Some(b"new y".to_vec()), "{method}");
            assert!(!there.contains_key("/to/only") && there.contains_key("/from/x") == (method == "COPY"), "{method}: {there:?}");
            let (path, id) = trash(&ada).await.remove(0);
            assert_eq!(path, "/to");
            ada.post(&format!("/api/drives/home/trash/{id}/restore"), serde_json::json!({"to": "back"})).await;
            let there = plain(&root);
            for (path, content) in [("x", "old x"), ("sub/y", "old y"), ("only/z", "old z")] {
                assert_eq!(there[&format!("/back/{path}")], Some(content.as_bytes().to_vec()), "{method}");
            }
            for path in ["from", "to", "back"] {
                dav(&ada, "DELETE", &format!("/dav/home/{path}"), &[], "").await;
            }
        }
    }

    async fn what_a_file_replaces_is_in_its_history_or_in_the_trash(server: Server) {
        let ada = mounted(&server).await;
        for (name, method) in [("a", "COPY"), ("b", "MOVE")] {
            dav(&ada, "PUT", "/dav/home/source", &[], "new").await;
            dav(&ada, "PUT", &format!("/dav/home/{name}"), &[], "old").await;
            let to = format!("/dav/home/{name}");
            assert_eq!(dav(&ada, method, "/dav/home/source", &[("destination", &to)], "").await.status, 204, "{method}");
            let history = ada.get(&format!("/api/sync/history/{name}")).await.expect(200);
            let mut contents = Vec::new();
            for version in history["versions"].as_array().unwrap() {
                let id = version["id"].as_str().unwrap();
                contents.push(ada.get(&format!("/api/drives/home/versions/{id}/content")).await.text());
            }
            assert!(contents.contains(&"old".to_owned()) && contents.contains(&"new".to_owned()), "{method}: {contents:?}");
        }
        // A folder gives way to a file, and a file to a folder.
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/within", &[], "kept").await;
        dav(&ada, "PUT", "/dav/home/file", &[], "file").await;
        assert_eq!(dav(&ada, "MOVE", "/dav/home/file", &[("destination", "/dav/home/f")], "").await.status, 204);
        assert_eq!(dav(&ada, "GET", "/dav/home/f", &[], "").await.text(), "file");
        let (path, id) = trash(&ada).await.remove(0);
        assert_eq!(path, "/f");
        ada.post(&format!("/api/drives/home/trash/{id}/restore"), serde_json::json!({"to": "again"})).await;
        assert_eq!(dav(&ada, "GET", "/dav/home/again/within", &[], "").await.text(), "kept");
    }

    async fn a_source_that_is_not_what_was_expected_replaces_nothing(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        two_trees(&ada).await;
        let before = plain(&root);
        for method in ["COPY", "MOVE"] {
            for (name, value) in [("if-match", "\"other\""), ("if", "([\"other\"])"), ("if", "</dav/home/to/x> ([\"other\"])")] {
                let refused = dav(&ada, method, "/dav/home/from/x", &[("destination", "/dav/home/to/x"), (name, value)], "").await;
                assert_eq!(refused.status, 412, "{method} {name} {value}");
            }
            let gone = dav(&ada, method, "/dav/home/none", &[("destination", "/dav/home/to")], "").await;
            assert_eq!(gone.status, 404, "{method}");
        }
        assert_eq!(plain(&root), before);
    }
}

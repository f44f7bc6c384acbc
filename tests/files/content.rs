//! Contents go in and come out as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{both_engines, only_slots, plain, random_hex};

use crate::home::{Home, file, hash, tag};

fn digest(content: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

both_engines! {
    async fn a_new_file_is_201_and_one_that_was_there_200(server: Server) {
        let home = Home::of(&server).await;
        let first = home.put_with("/a.txt", "one", &[]).await;
        assert_eq!(first.header("etag"), Some(tag("one").as_str()));
        let first = first.expect(201);
        assert_eq!(first["path"], "/a.txt");
        assert_eq!(first["hash"], hash("one"));
        assert_eq!((&first["size"], &first["version"]), (&json!(3), &json!(1)));
        assert_eq!(plain(&home.root)["/a.txt"].as_deref(), Some(&b"one"[..]), "in the plain folder when it is answered");
        let second = home.put_with("/a.txt", "two, longer", &[]).await;
        assert_eq!(second.header("etag"), Some(tag("two, longer").as_str()));
        let second = second.expect(200);
        assert_eq!((&second["size"], &second["version"]), (&json!(11), &json!(2)));
        assert_eq!(second["id"], first["id"]);
        assert_eq!(plain(&home.root)["/a.txt"].as_deref(), Some(&b"two, longer"[..]));
        home.is_plain().await;
    }

    async fn get_and_head_tell_the_same_of_a_file(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "content")]).await;
        let (got, headed) = (home.client.get(&file("/a.txt")).await, home.send_with(Method::HEAD, "/a.txt", "", &[]).await);
        assert_eq!((got.status, got.text().as_str()), (200, "content"));
        assert_eq!((headed.status, headed.bytes.len()), (200, 0));
        for answer in [&got, &headed] {
            assert_eq!(answer.header("etag"), Some(tag("content").as_str()));
            assert_eq!(answer.header("content-length"), Some("7"));
            assert_eq!(answer.header("repr-digest"), Some(digest("content").as_str()));
            assert_eq!(answer.header("content-type"), Some("text/plain"));
            assert_eq!(answer.header("accept-ranges"), Some("bytes"));
            assert!(answer.header("last-modified").is_some_and(|date| date.ends_with(" GMT")));
        }
        assert_eq!(got.header("last-modified"), headed.header("last-modified"));
        assert_eq!(got.header("holdfast-mtime-ns"), headed.header("holdfast-mtime-ns"));
    }

    async fn what_is_not_there_is_404_and_a_folder_is_no_content(server: Server) {
        let home = Home::with(&server, &[("/Folder/a.txt", "a")]).await;
        for path in ["/none.txt", "/Folder/none.txt", "/None/a.txt", "/Folder/a.txt/below"] {
            home.client.get(&file(path)).await.expect_problem(404);
            assert_eq!(home.send_with(Method::HEAD, path, "", &[]).await.status, 404);
            home.client.delete(&file(path)).await.expect_problem(404);
        }
        home.client.get(&file("/Folder")).await.expect_problem(409);
        assert_eq!(home.send_with(Method::HEAD, "/Folder", "", &[]).await.status, 409);
    }

    async fn an_empty_file_is_a_file(server: Server) {
        let home = Home::of(&server).await;
        let made = home.client.put(&file("/empty"), "").await.expect(201);
        assert_eq!((&made["size"], &made["hash"]), (&json!(0), &json!(hash(""))));
        let got = home.client.get(&file("/empty")).await;
        assert_eq!((got.status, got.bytes.len(), got.header("content-length")), (200, 0, Some("0")));
        assert_eq!(got.header("etag"), Some(tag("").as_str()));
        assert_eq!(plain(&home.root)["/empty"].as_deref(), Some(&b""[..]));
        home.write("/empty", "filled").await;
        home.client.put(&file("/empty"), "").await.expect(200);
        assert_eq!(home.read("/empty").await, "");
    }

    async fn a_large_content_whose_length_nobody_declared_arrives_whole(server: Server) {
        let home = Home::of(&server).await;
        let pieces: Vec<String> = (0..200).map(|_| random_hex(16 * 1024)).collect();
        let whole = pieces.concat();
        let stream = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let made = home.client.put(&file("/large.bin"), reqwest::Body::wrap_stream(stream)).await.expect(201);
        assert_eq!((&made["hash"], &made["size"]), (&json!(hash(&whole)), &json!(whole.len())));
        assert!(home.client.get(&file("/large.bin")).await.bytes == whole.as_bytes(), "what came back is something else");
        assert!(plain(&home.root)["/large.bin"].as_deref() == Some(whole.as_bytes()), "the plain file is something else");
        only_slots(&home.root, &[]).await;
    }

    async fn a_content_that_is_what_its_digest_says_is_taken(server: Server) {
        let home = Home::of(&server).await;
        let both = format!("md5=:AAAA:, {}", digest("checked"));
        for (n, (name, value)) in [("repr-digest", digest("checked")), ("content-digest", digest("checked")), ("repr-digest", both)]
            .into_iter().enumerate()
        {
            home.put_with(&format!("/{n}.txt"), "checked", &[(name, &value)]).await.expect(201);
        }
        home.put_with("/other.txt", "unchecked", &[("repr-digest", "sha-512=:AAAA:")]).await.expect(201);
    }

    async fn a_client_that_has_the_content_gets_304(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let (held, other) = (tag("one"), tag("another"));
        let several = format!("{other}, {held}");
        let weak = format!("W/{held}");
        for has in [held.as_str(), "*", &several, &weak] {
            for method in [Method::GET, Method::HEAD] {
                let answer = home.send_with(method, "/a.txt", "", &[("if-none-match", has)]).await;
                assert_eq!((answer.status, answer.bytes.len()), (304, 0), "{has}");
                assert_eq!(answer.header("etag"), Some(held.as_str()));
            }
        }
        let answer = home.send_with(Method::GET, "/a.txt", "", &[("if-none-match", &other)]).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "one"));
        home.write("/a.txt", "two").await;
        let answer = home.send_with(Method::GET, "/a.txt", "", &[("if-none-match", &held)]).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "two"));
    }

    async fn a_reader_that_insists_on_a_content_gets_that_or_412(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        for expected in [tag("one").as_str(), "*"] {
            assert_eq!(home.send_with(Method::GET, "/a.txt", "", &[("if-match", expected)]).await.text(), "one");
        }
        let problem = home.send_with(Method::GET, "/a.txt", "", &[("if-match", &tag("two"))]).await.expect_problem(412);
        assert_eq!(problem["actual_hash"], hash("one"));
    }

    async fn missing_folders_are_made_when_asked_for(server: Server) {
        let home = Home::of(&server).await;
        let before = home.before().await;
        for query in ["", "?parents=false"] {
            home.client.put(&format!("{}{query}", file("/A/B/c.txt")), "c").await.expect_problem(409);
        }
        home.is_as(&before).await;
        home.client.put(&format!("{}?parents=true", file("/A/B/c.txt")), "c").await.expect(201);
        assert_eq!(home.paths().await, ["/A", "/A/B", "/A/B/c.txt"]);
        home.client.put(&file("/A/B/d.txt"), "d").await.expect(201);
        home.is_plain().await;
        only_slots(&home.root, &[]).await;
    }

    async fn a_drive_has_a_name_and_an_id(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let drive = home.client.get("/api/drives/home").await.expect(200);
        let by_id = format!("/api/drives/{}/files/a.txt", drive["id"].as_str().unwrap());
        assert_eq!(home.client.get(&by_id).await.text(), "one");
        home.client.put(&by_id, "two").await.expect(200);
        assert_eq!(home.read("/a.txt").await, "two");
        home.client.get("/api/drives/attic/files/a.txt").await.expect_problem(404);
    }

    async fn everything_is_there_after_a_restart(server: Server) {
        let mut server = server;
        let home = Home::with(&server, &[("/A/a.txt", "a"), ("/A/B/b.txt", "b")]).await;
        home.folder("/Empty").await;
        home.write("/A/a.txt", "a, changed").await;
        home.remove("/A/B").await;
        let before: Value = home.tree().await.into();
        server.restart().await;
        let home = home.at(&server);
        assert_eq!(before, Value::from(home.tree().await));
        home.is_plain().await;
        assert_eq!(home.read("/A/a.txt").await, "a, changed");
        assert_eq!(home.contents(&home.entry("/A/a.txt").await["id"]).await, ["a, changed", "a"]);
    }
}

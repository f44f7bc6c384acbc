//! What no polite client sends over WebDAV: a clear 4xx each, and nothing changes.

use support::{both_engines, home_of, plain, status_of_raw};

use crate::mount::{LOCK, dav, lock, mounted};

both_engines! {
    async fn xml_that_would_grow_or_reach_out_is_refused(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let bomb = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><D:propfind xmlns:D="DAV:"><D:prop><x>&b;</x></D:prop></D:propfind>"#;
        let outside = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x>&a;</x></D:prop></D:set></D:propertyupdate>"#;
        let deep = format!("<D:propfind xmlns:D=\"DAV:\">{}{}</D:propfind>", "<a>".repeat(50_000), "</a>".repeat(50_000));
        let many = format!("<D:propfind xmlns:D=\"DAV:\"><D:prop>{}</D:prop></D:propfind>", (0..10_000).map(|n| format!("<p{n}/>")).collect::<String>());
        let huge = format!("<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><x>{}</x></D:prop></D:set></D:propertyupdate>", "x".repeat(200_000));
        let larger = "x".repeat(2_000_000);
        for (method, body) in [("PROPFIND", bomb), ("PROPPATCH", outside), ("PROPFIND", &deep), ("PROPFIND", &many), ("PROPPATCH", &huge), ("PROPPATCH", &larger), ("PROPFIND", "<not-xml"), ("LOCK", &deep), ("PROPPATCH", "")] {
            let answer = dav(&ada, method, "/dav/home/a", &[("depth", "0")], body).await;
            assert!((400..500).contains(&answer.status), "{method} {}: {}", &body[..body.len().min(60)], answer.status);
        }
        let all = dav(&ada, "PROPFIND", "/dav/home/a", &[("depth", "0")], "").await.text();
        assert!(!all.contains("root:") && !all.contains("<x "), "{all}");
    }

    async fn a_destination_that_cannot_be_is_refused_and_nothing_moves(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a", &[], "a").await;
        let root = home_of(&server, &ada).await;
        let before = plain(&root);
        for to in ["", "nonsense", "http://elsewhere.example/dav/home/x", "/dav/nobody/x", "/dav/home/../../x", "/dav/home/%2e%2e/x", "/dav/home/", "/dav/home/.holdfast/x", "/dav/home/f/inside", "/dav/home/none/x", "/api/x"] {
            for method in ["MOVE", "COPY"] {
                let answer = dav(&ada, method, "/dav/home/f", &[("destination", to)], "").await;
                // 502 is the RFC's word for what lies elsewhere (section 9.9.4).
                let refused = (400..500).contains(&answer.status) || answer.status == 502;
                assert!(refused, "{method} to {to}: {}", answer.status);
            }
        }
        assert_eq!(dav(&ada, "MOVE", "/dav/home/f", &[], "").await.status, 400);
        assert_eq!(dav(&ada, "MOVE", "/dav/home/f", &[("destination", "/dav/home/g"), ("depth", "1")], "").await.status, 400);
        assert_eq!(dav(&ada, "MOVE", "/dav/home/f", &[("destination", "/dav/home/g"), ("overwrite", "perhaps")], "").await.status, 400);
        assert_eq!(dav(&ada, "DELETE", "/dav/home/f", &[("depth", "7")], "").await.status, 400);
        assert_eq!(plain(&root), before);
    }

    async fn a_folder_copied_over_another_takes_its_place_as_a_whole(server: Server) {
        let ada = mounted(&server).await;
        for folder in ["from", "from/sub", "to"] {
            dav(&ada, "MKCOL", &format!("/dav/home/{folder}"), &[], "").await;
        }
        dav(&ada, "PUT", "/dav/home/from/sub/x", &[], "new").await;
        dav(&ada, "PUT", "/dav/home/to/y", &[], "old").await;
        assert_eq!(dav(&ada, "COPY", "/dav/home/from", &[("destination", "/dav/home/to")], "").await.status, 204);
        assert_eq!(dav(&ada, "GET", "/dav/home/to/sub/x", &[], "").await.text(), "new");
        assert_eq!(dav(&ada, "GET", "/dav/home/to/y", &[], "").await.status, 404);
        dav(&ada, "PUT", "/dav/home/file", &[], "file").await;
        assert_eq!(dav(&ada, "COPY", "/dav/home/from", &[("destination", "/dav/home/file")], "").await.status, 204);
        assert_eq!(dav(&ada, "GET", "/dav/home/file/sub/x", &[], "").await.text(), "new");
    }

    async fn an_address_with_a_fragment_deletes_nothing(server: Server) {
        let ada = server.admin().await;
        ada.put("/api/drives/home/files/a", "a").await.expect(201);
        assert_eq!(status_of_raw(&server, &ada, "DELETE", "/dav/home/a#b").await, 400);
        assert_eq!(status_of_raw(&server, &ada, "DELETE", "/api/drives/home/files/a#b").await, 400);
        assert_eq!(ada.get("/api/drives/home/files/a").await.text(), "a");
    }

    async fn locks_that_cannot_be_are_refused(server: Server) {
        let ada = mounted(&server).await;
        for (headers, body) in [
            (&[("depth", "1")][..], LOCK),
            (&[][..], "<D:lockinfo xmlns:D=\"DAV:\"/>"),
            (&[][..], "<D:propfind xmlns:D=\"DAV:\"/>"),
        ] {
            let answer = dav(&ada, "LOCK", "/dav/home/a", headers, body).await;
            assert!((400..500).contains(&answer.status), "{}", answer.status);
        }
        assert_eq!(dav(&ada, "LOCK", "/dav/home/none/a", &[], LOCK).await.status, 409);
        assert_eq!(dav(&ada, "UNLOCK", "/dav/home/a", &[], "").await.status, 400);
        assert_eq!(dav(&ada, "UNLOCK", "/dav/home/a", &[("lock-token", "<urn:holdfast:AAAAAAAAAAAAAAAAAAAAAA>")], "").await.status, 409);
        assert_eq!(dav(&ada, "LOCK", "/dav/", &[], LOCK).await.status, 403);
        assert!(plain(&home_of(&server, &ada).await).is_empty());
    }

    async fn very_many_properties_in_one_request_are_refused_as_a_whole(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let set = |count: usize| format!("<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>", (0..count).map(|n| format!("<p{n}>v</p{n}>")).collect::<String>());
        for count in [1_001, 10_000] {
            assert_eq!(dav(&ada, "PROPPATCH", "/dav/home/a", &[], &set(count)).await.status, 400, "{count}");
            let made = set(count).replace("propertyupdate", "mkcol");
            let status = dav(&ada, "MKCOL", "/dav/home/f", &[], &made).await.status;
            assert!((400..500).contains(&status), "{count}: {status}");
        }
        // What is kept of one file is bounded, too, however many requests it comes in.
        let other = |from: usize| set(600).replace("<p", &format!("<q{from}p")).replace("</p", &format!("</q{from}p"));
        assert!(dav(&ada, "PROPPATCH", "/dav/home/a", &[], &other(1)).await.text().contains("200 OK"));
        let full = dav(&ada, "PROPPATCH", "/dav/home/a", &[], &other(2)).await.text();
        assert!(full.contains("507 Insufficient Storage") && !full.contains("200 OK"), "{}", &full[..300]);
        let all = dav(&ada, "PROPFIND", "/dav/home/a", &[("depth", "0")], "<D:propfind xmlns:D=\"DAV:\"><D:propname/></D:propfind>").await.text();
        assert_eq!(all.matches("<q1p").count(), 600);
        assert!(!all.contains("<q2p") && !all.contains("<p1"), "more than was acknowledged is there");
        assert_eq!(dav(&ada, "PROPFIND", "/dav/home/f", &[("depth", "0")], "").await.status, 404);
    }

    async fn a_depth_that_means_nothing_is_400_whatever_the_method(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a", &[], "a").await;
        let root = home_of(&server, &ada).await;
        let before = plain(&root);
        for depth in ["2", "-1", "", "infinite", "0,1", "1, noroot", "99999999999999999999"] {
            for (method, body) in [("PROPFIND", ""), ("DELETE", ""), ("COPY", ""), ("MOVE", ""), ("LOCK", LOCK)] {
                let answer = dav(&ada, method, "/dav/home/f", &[("depth", depth), ("destination", "/dav/home/g")], body).await;
                assert_eq!(answer.status, 400, "{method} {depth:?}");
            }
        }
        assert_eq!(plain(&root), before);
    }

    async fn a_lock_token_of_somebody_else_opens_nothing_and_ends_nothing(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let token = lock(&ada, "/dav/home/a", &[], LOCK).await;
        let holding = format!("({token})");
        let (_, stranger) = server.member().await;
        // In their own drive a token of another's is the token of no lock, and the other's drive is not there for them.
        dav(&stranger, "PUT", "/dav/home/a", &[], "theirs").await;
        assert_eq!(dav(&stranger, "PUT", "/dav/home/a", &[("if", &holding)], "x").await.status, 412);
        assert_eq!(dav(&stranger, "UNLOCK", "/dav/home/a", &[("lock-token", &token)], "").await.status, 409);
        let drive = ada.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned();
        for (method, headers) in [("PUT", [("if", holding.as_str())]), ("UNLOCK", [("lock-token", token.as_str())]), ("LOCK", [("if", holding.as_str())])] {
            let answer = dav(&stranger, method, &format!("/dav/by-id/{drive}/a"), &headers, "").await;
            assert_eq!(answer.status, 404, "{method}");
        }
        assert_eq!(dav(&ada, "PUT", "/dav/home/a", &[], "b").await.status, 423, "the lock still stands");
        assert_eq!(dav(&ada, "GET", "/dav/home/a", &[], "").await.text(), "a");
    }

    async fn floods_of_headers_and_conditions_are_refused_cheaply(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let many: String = (0..2_000).map(|n| format!("(<urn:x:{n}>)")).collect();
        let deep = format!("({})", "Not ".repeat(1_000));
        for value in [many.as_str(), &deep, "(<", &"(".repeat(5_000)] {
            let answer = dav(&ada, "PUT", "/dav/home/a", &[("if", value)], "b").await;
            assert!((400..500).contains(&answer.status), "{}", answer.status);
        }
        let mut flood = String::from("PUT /dav/home/a HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nConnection: close\r\n");
        for n in 0..5_000 {
            flood.push_str(&format!("X-Flood-{n}: x\r\n"));
        }
        flood.push_str("\r\nb");
        let long = format!("PUT /dav/home/a HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nConnection: close\r\nX-Long: {}\r\n\r\nb", "x".repeat(1_000_000));
        for request in [flood, long] {
            let mut stream = support::send_raw(&server, b"").await;
            // The server may hang up in the middle of it.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
        }
        assert_eq!(dav(&ada, "GET", "/dav/home/a", &[], "").await.text(), "a");
    }
}

//! What no polite client sends over WebDAV: a clear 4xx each, and nothing changes.

use support::{both_engines, home_of, plain, status_of_raw};

use crate::mount::{LOCK, dav, mounted};

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
}

//! What macOS's own client sends when somebody mounts a drive in Finder and drops a file there: the same methods and headers
//! in the same order.

use reqwest::{Body, Method};
use support::{Answer, Client, both_engines, home_of, only_slots, plain, slots};

use crate::mount::{LOCK, dav, mounted, value};

const AGENT: (&str, &str) = ("user-agent", "WebDAVFS/3.0.0 (03008000) Darwin/23.4.0 (arm64)");
const STATFS: &str = r#"<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/><D:quota/><D:quotaused/></D:prop></D:propfind>"#;
const LOOK: &str = r#"<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:getlastmodified/><D:getcontentlength/><D:creationdate/><D:resourcetype/></D:prop></D:propfind>"#;

async fn says(client: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    dav(client, method, path, &[&[AGENT, ("accept", "*/*")], headers].concat(), body).await
}

/// A PUT in chunks that says beforehand how long it will be.
async fn chunked(client: &Client, path: &str, token: &str, length: &str, pieces: &[&'static str]) -> Answer {
    let pieces: Vec<std::io::Result<&'static str>> = pieces.iter().copied().map(Ok).collect();
    let body = Body::wrap_stream(futures_util::stream::iter(pieces));
    let request =
        client.request(Method::PUT, path).header(AGENT.0, AGENT.1).header("if", format!("({token})"));
    client.send(request.header("x-expected-entity-length", length).body(body)).await
}

both_engines! {
    async fn macos_mounts_a_drive_and_writes_a_file(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        assert_eq!(says(&ada.anonymous(), "OPTIONS", "/dav/home/", &[], "").await.status, 401);
        let options = says(&ada, "OPTIONS", "/dav/home/", &[], "").await;
        // Without class 2 it mounts for reading only.
        assert!(options.header("dav").unwrap().split(", ").any(|class| class == "2"));
        assert!(says(&ada, "PROPFIND", "/dav/home/", &[("depth", "0")], LOOK).await.text().contains("<D:collection/>"));
        let statfs = says(&ada, "PROPFIND", "/dav/home/", &[("depth", "0")], STATFS).await.text();
        for quota in ["D:quota-available-bytes", "D:quota-used-bytes"] {
            assert!(value(&statfs, quota).unwrap().parse::<u64>().is_ok(), "{statfs}");
        }
        for name in ["._.", ".DS_Store", ".hidden", "._photo.jpg", ".Spotlight-V100", "photo.jpg"] {
            assert_eq!(says(&ada, "PROPFIND", &format!("/dav/home/{name}"), &[("depth", "0")], LOOK).await.status, 404, "{name}");
            assert_eq!(says(&ada, "GET", &format!("/dav/home/{name}"), &[], "").await.status, 404, "{name}");
        }

        // An empty file, its lock, its content in chunks.
        assert_eq!(says(&ada, "PUT", "/dav/home/photo.jpg", &[("content-length", "0")], "").await.status, 201);
        let locked = says(&ada, "LOCK", "/dav/home/photo.jpg", &[("depth", "0"), ("timeout", "Second-600")], LOCK).await;
        assert_eq!(locked.status, 200, "{}", locked.text());
        let token = locked.header("lock-token").unwrap().to_owned();
        let (before, kept) = (plain(&root), slots(&root));
        for (length, pieces) in [("9", &["half", "half"][..]), ("7", &["half", "half"]), ("many", &["half", "half"]), ("-1", &[])] {
            let refused = chunked(&ada, "/dav/home/photo.jpg", &token, length, pieces).await;
            assert!((400..500).contains(&refused.status), "{length}: {}", refused.status);
        }
        assert_eq!(plain(&root), before);
        only_slots(&root, &kept).await;
        assert_eq!(chunked(&ada, "/dav/home/photo.jpg", &token, "8", &["half", "half"]).await.status, 204);
        let again = says(&ada, "LOCK", "/dav/home/photo.jpg", &[("if", &format!("({token})")), ("timeout", "Second-600")], "").await;
        assert_eq!(again.status, 200);
        assert_eq!(says(&ada, "UNLOCK", "/dav/home/photo.jpg", &[("lock-token", &token)], "").await.status, 204);

        // What the disk cannot keep for it, it keeps in a file of its own; a lock makes that one.
        let locked = says(&ada, "LOCK", "/dav/home/._photo.jpg", &[("depth", "0"), ("timeout", "Second-600")], LOCK).await;
        assert_eq!(locked.status, 201);
        let token = locked.header("lock-token").unwrap().to_owned();
        assert_eq!(chunked(&ada, "/dav/home/._photo.jpg", &token, "4", &["meta"]).await.status, 204);
        assert_eq!(says(&ada, "UNLOCK", "/dav/home/._photo.jpg", &[("lock-token", &token)], "").await.status, 204);
        assert_eq!(says(&ada, "GET", "/dav/home/._photo.jpg", &[], "").await.text(), "meta");
        assert_eq!(says(&ada, "GET", "/dav/home/photo.jpg", &[("range", "bytes=4-")], "").await.text(), "half");
        let listed = says(&ada, "PROPFIND", "/dav/home/", &[("depth", "1")], LOOK).await.text();
        assert!(listed.contains("/dav/home/photo.jpg<") && listed.contains("/dav/home/._photo.jpg<"), "{listed}");

        // Renamed, both parts of it, and deleted.
        for (from, to) in [("photo.jpg", "Ferien%20%F0%9F%8F%96.jpg"), ("._photo.jpg", "._Ferien%20%F0%9F%8F%96.jpg")] {
            let to = format!("{}/dav/home/{to}", server.url());
            let moved = says(&ada, "MOVE", &format!("/dav/home/{from}"), &[("destination", &to), ("overwrite", "T")], "").await;
            assert_eq!(moved.status, 201);
        }
        let there = plain(&root);
        assert_eq!(there.get("/Ferien \u{1f3d6}.jpg"), Some(&Some(b"halfhalf".to_vec())), "{there:?}");
        for name in ["Ferien%20%F0%9F%8F%96.jpg", "._Ferien%20%F0%9F%8F%96.jpg"] {
            assert_eq!(says(&ada, "DELETE", &format!("/dav/home/{name}"), &[], "").await.status, 204);
        }
        assert!(plain(&root).is_empty());
    }
}

//! Modification times that clients set apart from the content: on the disk, too, and for good.

use std::time::{Duration, SystemTime};

use support::{both_engines, home_of};

use crate::mount::{LOCK, dav, lock, mounted, propfind, value};

const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:m="urn:schemas-microsoft-com:"><d:prop><d:getlastmodified/><d:lastmodified/><m:Win32LastModifiedTime/><m:Win32CreationTime/><m:Win32FileAttributes/></d:prop></d:propfind>"#;
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const SECONDS: u64 = 1_700_000_000;

fn set(properties: &str) -> String {
    format!(
        r#"<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>{properties}</D:prop></D:set></D:propertyupdate>"#
    )
}

fn on_disk(path: &std::path::Path) -> Duration {
    std::fs::metadata(path).unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

both_engines! {
    async fn each_way_of_setting_a_time_sets_it_on_the_disk_and_survives_a_restart(mut_server: Server) {
        let mut server = mut_server;
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        for (name, property) in [
            ("windows", format!("<Z:Win32LastModifiedTime>{DATE}</Z:Win32LastModifiedTime>")),
            ("rclone", format!("<D:lastmodified>{SECONDS}</D:lastmodified>")),
            ("others", format!("<D:getlastmodified>{DATE}</D:getlastmodified>")),
        ] {
            let path = format!("/dav/home/{name}");
            let tag = dav(&ada, "PUT", &path, &[], name).await.header("etag").unwrap().to_owned();
            let done = dav(&ada, "PROPPATCH", &path, &[], &set(&property)).await;
            assert!(done.status == 207 && done.text().contains("200 OK"), "{}", done.text());
            let got = dav(&ada, "GET", &path, &[], "").await;
            assert_eq!((got.header("last-modified"), got.header("etag")), (Some(DATE), Some(tag.as_str())), "{name}");
            assert_eq!(on_disk(&root.join(name)), Duration::from_secs(SECONDS), "{name}");
        }
        server.restart().await;
        let ada = ada.at(server.url());
        for name in ["windows", "rclone", "others"] {
            let told = propfind(&ada, &format!("/dav/home/{name}"), "0", ASK).await;
            assert_eq!(value(&told, "D:getlastmodified").as_deref(), Some(DATE), "{told}");
            assert_eq!(value(&told, "D:lastmodified").as_deref(), Some("1700000000"), "{told}");
            assert!(told.contains(&format!(">{DATE}</Win32LastModifiedTime>")), "{told}");
            // The scan at the start has not taken it for somebody else's work.
            let versions = ada.get(&format!("/api/sync/history/{name}")).await.expect(200);
            assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "{versions}");
        }
    }

    async fn a_time_that_is_set_after_the_content_was_read_stays_with_the_content_when_it_is_replaced(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "one").await;
        dav(&ada, "PROPPATCH", "/dav/home/a", &[], &set(&format!("<D:lastmodified>{SECONDS}</D:lastmodified>"))).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "two").await;
        let versions = ada.get("/api/sync/history/a").await.expect(200);
        let first = versions["versions"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        let old = ada.get(&format!("/api/drives/home/versions/{first}/content")).await;
        assert_eq!((old.text().as_str(), old.header("last-modified")), ("one", Some(DATE)));
        let conflicts = ada.get("/api/drives/home/conflicts").await;
        assert!(conflicts.status == 404 || conflicts.json()["items"].as_array().is_none_or(Vec::is_empty), "{}", conflicts.text());
    }

    async fn the_rest_of_what_windows_sets_is_kept_as_it_came(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        for path in ["/dav/home/a", "/dav/home/f"] {
            let body = set(&format!("<Z:Win32CreationTime>{DATE}</Z:Win32CreationTime><Z:Win32LastAccessTime>{DATE}</Z:Win32LastAccessTime><Z:Win32LastModifiedTime>{DATE}</Z:Win32LastModifiedTime><Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>"));
            let done = dav(&ada, "PROPPATCH", path, &[], &body).await;
            assert!(done.status == 207 && !done.text().contains("HTTP/1.1 4"), "{}", done.text());
            let told = propfind(&ada, path, "0", ASK).await;
            assert!(told.contains(">00000020</Win32FileAttributes>"), "{told}");
            assert!(told.contains(&format!(">{DATE}</Win32CreationTime>")), "{told}");
            assert_eq!(value(&told, "D:getlastmodified").as_deref(), Some(DATE), "{told}");
        }
    }

    async fn a_time_is_set_together_with_all_else_or_not_at_all(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        dav(&ada, "PUT", "/dav/home/a", &[("x-oc-mtime", "1600000000")], "a").await;
        let right = format!("<D:lastmodified>{SECONDS}</D:lastmodified>");
        for (with, status) in [
            ("<D:getetag>x</D:getetag>", "403"), ("<D:getlastmodified>yesterday</D:getlastmodified>", "409"),
            ("<D:lastmodified>99999999999999999999</D:lastmodified>", "409"), ("<Z:Win32LastModifiedTime/>", "409"),
            ("<o:checksums xmlns:o='http://owncloud.org/ns'><o:checksum>SHA256:abcd</o:checksum></o:checksums>", "409"),
        ] {
            let done = dav(&ada, "PROPPATCH", "/dav/home/a", &[], &set(&format!("{right}<Z:x>1</Z:x>{with}"))).await.text();
            assert!(done.contains(&format!("HTTP/1.1 {status}")) && done.contains("424"), "{with}: {done}");
        }
        lock(&ada, "/dav/home/a", &[], LOCK).await;
        assert_eq!(dav(&ada, "PROPPATCH", "/dav/home/a", &[], &set(&right)).await.status, 423);
        assert_eq!(dav(&ada, "PROPPATCH", "/dav/home/none", &[], &set(&right)).await.status, 404);
        assert_eq!(on_disk(&root.join("a")), Duration::from_secs(1_600_000_000));
        let told = dav(&ada, "PROPFIND", "/dav/home/a", &[("depth", "0")], "").await.text();
        assert!(told.contains("Sun, 13 Sep 2020 12:26:40 GMT") && !told.contains("<x "), "{told}");
    }

    async fn a_client_may_repeat_the_checksums_that_it_knows_when_it_sets_a_time(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[("x-oc-mtime", "1600000000")], "hello").await;
        let say = |sha1: &str| set(&format!("<D:lastmodified>{SECONDS}</D:lastmodified><o:checksums xmlns:o='http://owncloud.org/ns'><o:checksum>SHA1:{sha1}</o:checksum></o:checksums>"));
        let wrong = dav(&ada, "PROPPATCH", "/dav/home/a", &[], &say(&"ab".repeat(20))).await.text();
        assert!(wrong.contains("409") && !wrong.contains("200 OK"), "{wrong}");
        let right = dav(&ada, "PROPPATCH", "/dav/home/a", &[], &say("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")).await.text();
        assert!(right.contains("200 OK") && !right.contains("HTTP/1.1 4"), "{right}");
        assert_eq!(dav(&ada, "HEAD", "/dav/home/a", &[], "").await.header("last-modified"), Some(DATE));
    }

    async fn an_edit_of_another_program_is_still_seen_after_a_time_was_set(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "one").await;
        dav(&ada, "PROPPATCH", "/dav/home/a", &[], &set(&format!("<D:lastmodified>{SECONDS}</D:lastmodified>"))).await;
        std::fs::write(root.join("a"), "edited").unwrap();
        support::eventually("the edit to be adopted", || async {
            ada.get("/api/drives/home/files/a").await;
            let versions = ada.get("/api/sync/history/a").await.expect(200);
            (versions["versions"].as_array().unwrap().len() == 2).then_some(())
        }).await;
        assert_eq!(dav(&ada, "GET", "/dav/home/a", &[], "").await.text(), "edited");
    }
}

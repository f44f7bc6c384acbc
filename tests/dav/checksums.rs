//! Checksums as ownCloud's clients send and compare them, and what else such clients ask for.

use support::{Client, both_engines, home_of, only_slots, plain, slots};

use crate::mount::{dav, mounted, propfind, value};

const HELLO_SHA1: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
const HELLO_MD5: &str = "5d41402abc4b2a76b9719d911017c592";
const ASK: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><d:getlastmodified/><oc:checksums/></d:prop></d:propfind>"#;

async fn sums(client: &Client, path: &str, depth: &str) -> Vec<String> {
    let found = propfind(client, path, depth, ASK).await;
    let pieces = found.split("<O:checksums><O:checksum>").skip(1);
    pieces.map(|piece| piece.split_once("</O:checksum></O:checksums>").unwrap().0.to_owned()).collect()
}

fn hello() -> Vec<String> {
    vec![format!("SHA1:{HELLO_SHA1} MD5:{HELLO_MD5}")]
}

both_engines! {
    async fn a_checksum_that_a_client_sends_is_checked_and_a_wrong_one_changes_nothing(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        for (n, right) in [
            format!("SHA1:{HELLO_SHA1}"),
            format!("md5:{}", HELLO_MD5.to_uppercase()),
            format!("SHA1:{HELLO_SHA1} MD5:{HELLO_MD5} ADLER32:062c0215"),
            "SHA256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned(),
            "SHA3-256:nobody knows:it".replace(' ', "-"),
        ].iter().enumerate() {
            let put = dav(&ada, "PUT", &format!("/dav/home/{n}"), &[("oc-checksum", right)], "hello").await;
            assert_eq!(put.status, 201, "{right}: {}", put.text());
            ada.send(ada.request(reqwest::Method::PUT, &format!("/api/drives/home/files/r{n}")).header("oc-checksum", right).body("hello")).await.expect(201);
        }
        let (before, kept) = (plain(&root), slots(&root));
        for wrong in [
            format!("SHA1:{HELLO_SHA1}"), format!("MD5:{HELLO_MD5}"), "ADLER32:062c0215".to_owned(),
            "SHA256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned(),
            "SHA1:abc".to_owned(), "SHA1".to_owned(), ":".to_owned(), String::new(), "MD5:zz".to_owned(),
        ] {
            for path in ["/dav/home/0", "/dav/home/new", "/api/drives/home/files/0"] {
                let put = dav(&ada, "PUT", path, &[("oc-checksum", &wrong)], "other").await;
                assert_eq!(put.status, 400, "{wrong}: {}", put.text());
            }
        }
        assert_eq!(plain(&root), before);
        only_slots(&root, &kept).await;
    }

    async fn checksums_are_told_of_what_such_a_client_wrote_and_of_what_anybody_else_did(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a", &[("x-oc-mtime", "1700000000")], "hello").await;
        dav(&ada, "PUT", "/dav/home/f/b", &[], "hello").await;
        dav(&ada, "PUT", "/dav/home/f/c", &[], "something else").await;
        dav(&ada, "PUT", "/dav/home/f/empty", &[], "").await;
        let all = sums(&ada, "/dav/home/f/", "1").await;
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(all[..2], [hello(), hello()].concat());
        assert!(all[3].ends_with("MD5:d41d8cd98f00b204e9800998ecf8427e"), "{all:?}");
        assert_eq!(sums(&ada, "/dav/home/f/a", "0").await, hello());
        let everything = propfind(&ada, "/dav/home/f/a", "0", "").await;
        assert!(!everything.contains("checksum"), "{everything}");
    }

    async fn a_copy_a_move_and_a_restored_version_have_the_checksums_of_their_content(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[("oc-checksum", &format!("SHA1:{HELLO_SHA1}"))], "hello").await;
        dav(&ada, "COPY", "/dav/home/a", &[("destination", "/dav/home/b")], "").await;
        dav(&ada, "MOVE", "/dav/home/a", &[("destination", "/dav/home/c")], "").await;
        dav(&ada, "PUT", "/dav/home/c", &[], "changed").await;
        assert_ne!(sums(&ada, "/dav/home/c", "0").await, hello());
        let versions = ada.get("/api/sync/history/c").await.expect(200);
        let first = versions["versions"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        ada.post(&format!("/api/drives/home/versions/{first}/restore"), serde_json::json!({})).await.expect(200);
        for path in ["/dav/home/b", "/dav/home/c"] {
            assert_eq!(sums(&ada, path, "0").await, hello(), "{path}");
        }
    }

    async fn an_edit_on_the_disk_has_its_own_checksums(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;
        dav(&ada, "PUT", "/dav/home/a", &[("x-oc-mtime", "1700000000")], "12345").await;
        std::fs::write(root.join("a"), "hello").unwrap();
        support::eventually("the edit to be seen", || async {
            ada.get("/api/drives/home/files/a").await;
            (sums(&ada, "/dav/home/a", "0").await == hello()).then_some(())
        }).await;
    }

    async fn such_a_client_learns_ids_rights_and_sizes_by_name_alone(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        let put = dav(&ada, "PUT", "/dav/home/f/a", &[("x-oc-mtime", "1700000000.5")], "hello").await;
        assert_eq!(put.header("x-oc-mtime"), Some("accepted"));
        assert_eq!(put.header("oc-etag"), put.header("etag"));
        let ask = r#"<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><oc:id/><oc:fileid/><oc:permissions/><oc:size/><d:getlastmodified/></d:prop></d:propfind>"#;
        let file = propfind(&ada, "/dav/home/f/a", "0", ask).await;
        assert_eq!(value(&file, "O:fileid").as_deref(), put.header("oc-fileid"), "{file}");
        assert_eq!(value(&file, "O:id"), value(&file, "O:fileid"));
        assert_eq!(value(&file, "O:permissions").as_deref(), Some("DNVW"));
        assert_eq!(value(&file, "O:size").as_deref(), Some("5"));
        assert_eq!(value(&file, "D:getlastmodified").as_deref(), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
        let folder = propfind(&ada, "/dav/home/f", "0", ask).await;
        assert_eq!(value(&folder, "O:permissions").as_deref(), Some("DNVCK"), "{folder}");
    }
}

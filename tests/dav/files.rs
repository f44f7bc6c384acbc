//! Files and folders of the network drive, as programs that mount it use them.

use support::both_engines;

use crate::mount::{LOCK, dav, home, mounted};

both_engines! {
    async fn a_file_that_is_put_can_be_listed_and_read_and_is_plain_on_disk(server: Server) {
        let ada = mounted(&server).await;
        assert_eq!(dav(&ada, "MKCOL", "/dav/home/notes", &[], "").await.status, 201);
        let put = dav(&ada, "PUT", "/dav/home/notes/a%20b.txt", &[], "hello").await;
        assert_eq!(put.status, 201, "{}", put.text());
        assert_eq!(dav(&ada, "PUT", "/dav/home/notes/a%20b.txt", &[], "hello!").await.status, 204);
        let got = dav(&ada, "GET", "/dav/home/notes/a%20b.txt", &[("range", "bytes=1-3")], "").await;
        assert_eq!((got.status, got.text().as_str()), (206, "ell"));
        let listed = dav(&ada, "PROPFIND", "/dav/home/notes/", &[("depth", "1")], "").await;
        assert_eq!(listed.status, 207);
        assert!(listed.text().contains("/dav/home/notes/a%20b.txt"), "{}", listed.text());
        assert_eq!(std::fs::read_to_string(home(&server).await.join("notes/a b.txt")).unwrap(), "hello!");
    }

    async fn the_top_lists_the_drives_a_user_may_see(server: Server) {
        let ada = mounted(&server).await;
        let listed = dav(&ada, "PROPFIND", "/dav/", &[("depth", "1")], "").await;
        assert_eq!(listed.status, 207);
        assert!(listed.text().contains("/dav/home/"), "{}", listed.text());
        assert_eq!(dav(&ada, "PROPFIND", "/dav/nobody/", &[("depth", "0")], "").await.status, 404);
    }

    async fn entity_tags_are_the_same_as_over_rest(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        let tag = ada.get("/api/drives/home/files/a.txt").await.header("etag").unwrap().to_owned();
        assert_eq!(dav(&ada, "GET", "/dav/home/a.txt", &[], "").await.header("etag"), Some(tag.as_str()));
        let listed = dav(&ada, "PROPFIND", "/dav/home/a.txt", &[("depth", "0")], "").await.text();
        assert!(listed.contains(&tag) || listed.contains(&tag.replace('"', "&quot;")), "{tag} in {listed}");
    }

    async fn a_put_into_a_folder_that_is_not_there_is_refused(server: Server) {
        let ada = mounted(&server).await;
        assert_eq!(dav(&ada, "PUT", "/dav/home/none/a.txt", &[], "a").await.status, 409);
        assert_eq!(dav(&ada, "MKCOL", "/dav/home/none/deeper", &[], "").await.status, 409);
        assert_eq!(dav(&ada, "MKCOL", "/dav/home", &[], "").await.status, 405);
    }

    async fn a_move_over_a_file_replaces_it_and_the_old_content_stays_in_history(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        dav(&ada, "PUT", "/dav/home/b.txt", &[], "b").await;
        let to = format!("{}/dav/home/b.txt", server.url());
        let refused = dav(&ada, "MOVE", "/dav/home/a.txt", &[("destination", &to), ("overwrite", "F")], "").await;
        assert_eq!(refused.status, 412);
        assert_eq!(dav(&ada, "MOVE", "/dav/home/a.txt", &[("destination", &to)], "").await.status, 204);
        assert_eq!(dav(&ada, "GET", "/dav/home/a.txt", &[], "").await.status, 404);
        assert_eq!(dav(&ada, "GET", "/dav/home/b.txt", &[], "").await.text(), "a");
        let history = ada.get("/api/sync/history/b.txt").await.expect(200);
        let sizes = history["versions"].as_array().unwrap().len();
        assert_eq!(sizes, 2, "{history}");
    }

    async fn a_folder_is_copied_moved_and_deleted_as_a_whole(server: Server) {
        let ada = mounted(&server).await;
        let root = home(&server).await;
        dav(&ada, "MKCOL", "/dav/home/from", &[], "").await;
        dav(&ada, "MKCOL", "/dav/home/from/sub", &[], "").await;
        dav(&ada, "PUT", "/dav/home/from/sub/x.txt", &[], "x").await;
        assert_eq!(dav(&ada, "COPY", "/dav/home/from", &[("destination", "/dav/home/copy")], "").await.status, 201);
        assert_eq!(dav(&ada, "MOVE", "/dav/home/from", &[("destination", "/dav/home/moved")], "").await.status, 201);
        assert_eq!(std::fs::read_to_string(root.join("copy/sub/x.txt")).unwrap(), "x");
        assert_eq!(std::fs::read_to_string(root.join("moved/sub/x.txt")).unwrap(), "x");
        assert!(!root.join("from").exists());
        assert_eq!(dav(&ada, "DELETE", "/dav/home/moved", &[], "").await.status, 204);
        assert!(!root.join("moved").exists());
        assert_eq!(dav(&ada, "PROPFIND", "/dav/home/moved", &[("depth", "0")], "").await.status, 404);
    }

    async fn what_one_program_has_locked_another_cannot_change(server: Server) {
        let ada = mounted(&server).await;
        let locked = dav(&ada, "LOCK", "/dav/home/new.txt", &[("timeout", "Second-600")], LOCK).await;
        assert_eq!(locked.status, 201, "{}", locked.text());
        let token = locked.header("lock-token").unwrap().to_owned();
        assert_eq!(dav(&ada, "PUT", "/dav/home/new.txt", &[], "mine").await.status, 423);
        assert_eq!(dav(&ada, "DELETE", "/dav/home/new.txt", &[], "").await.status, 423);
        let with_token = format!("({token})");
        assert_eq!(dav(&ada, "PUT", "/dav/home/new.txt", &[("if", &with_token)], "mine").await.status, 204);
        assert_eq!(dav(&ada, "UNLOCK", "/dav/home/new.txt", &[("lock-token", &token)], "").await.status, 204);
        assert_eq!(dav(&ada, "PUT", "/dav/home/new.txt", &[], "theirs").await.status, 204);
    }

    async fn nobody_gets_in_without_a_credential_nor_into_the_reserved_folder(server: Server) {
        let nobody = server.client();
        for method in ["OPTIONS", "PROPFIND", "GET", "PUT", "MOVE"] {
            let answer = dav(&nobody, method, "/dav/home/a.txt", &[], "").await;
            assert_eq!(answer.status, 401, "{method}");
            assert!(answer.headers.get_all("www-authenticate").iter().any(|v| v.as_bytes().starts_with(b"Basic")));
        }
        let wrong = nobody.basic(server.username(), "wrong");
        assert_eq!(dav(&wrong, "PROPFIND", "/dav/", &[("depth", "0")], "").await.status, 401);
        let ada = mounted(&server).await;
        for path in ["/dav/home/.holdfast/drive.json", "/dav/home/.HOLDFAST/drive.json", "/dav/home/%2eholdfast/drive.json"] {
            let answer = dav(&ada, "GET", path, &[], "").await;
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        }
        let (_, stranger) = server.member().await;
        dav(&ada, "PUT", "/dav/home/secret.txt", &[], "secret").await;
        assert_eq!(dav(&stranger, "GET", "/dav/home/secret.txt", &[], "").await.status, 404);
    }

    async fn a_drive_whose_folder_is_gone_is_offline_and_not_empty(server: Server) {
        let ada = mounted(&server).await;
        let root = home(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        std::fs::rename(&root, root.with_extension("away")).unwrap();
        for (method, path) in [("GET", "/dav/home/a.txt"), ("PROPFIND", "/dav/home/"), ("DELETE", "/dav/home/a.txt")] {
            let answer = dav(&ada, method, path, &[("depth", "1")], "").await;
            assert_eq!(answer.status, 503, "{method} {path}");
            assert!(answer.header("retry-after").is_some(), "{method} {path}");
        }
        std::fs::rename(root.with_extension("away"), &root).unwrap();
        support::eventually("the drive to come back", || async {
            (dav(&ada, "GET", "/dav/home/a.txt", &[], "").await.status == 200).then_some(())
        })
        .await;
    }

    async fn a_file_that_is_replaced_again_and_again_is_copied_whole_or_said_to_have_changed(server: Server) {
        let ada = mounted(&server).await;
        let content = |n: usize| char::from(b'a' + (n % 26) as u8).to_string().repeat(200_000);
        dav(&ada, "PUT", "/dav/home/a.txt", &[], &content(0)).await;
        let replacing = async {
            for n in 0..150 {
                let put = dav(&ada, "PUT", "/dav/home/a.txt", &[], &content(n)).await;
                assert_eq!(put.status, 204, "{}", put.text());
            }
        };
        let copying = |to: usize| {
            let ada = ada.clone();
            async move {
                let to = format!("/dav/home/copy-{to}.txt");
                let mut copied = 0;
                for _ in 0..60 {
                    let copy = dav(&ada, "COPY", "/dav/home/a.txt", &[("destination", &to)], "").await;
                    assert!(matches!(copy.status, 201 | 204 | 409), "{}: {}", copy.status, copy.text());
                    if copy.status != 409 {
                        let text = dav(&ada, "GET", &to, &[], "").await.text();
                        assert!(text.len() == 200_000 && text.chars().all(|c| text.starts_with(c)), "a torn copy");
                        copied += 1;
                    }
                }
                assert!(copied > 0, "nothing could be copied at all");
            }
        };
        futures_util::future::join(replacing, futures_util::future::join_all((0..4).map(copying))).await;
    }
}

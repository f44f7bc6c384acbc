//! Locks: what they keep from whom, for how long, and who ends them.

use reqwest::Method;
use serde_json::json;
use support::{both_engines, eventually};

use crate::mount::{LOCK, SHARED, dav, lock, mounted};

both_engines! {
    async fn a_lock_survives_a_restart(started: Server) {
        let mut server = started;
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let token = lock(&ada, "/dav/home/a", &[("timeout", "Second-600")], LOCK).await;
        server.restart().await;
        let ada = ada.at(server.url());
        assert_eq!(dav(&ada, "PUT", "/dav/home/a", &[], "b").await.status, 423);
        let shown = dav(&ada, "PROPFIND", "/dav/home/a", &[("depth", "0")], "").await.text();
        assert!(shown.contains(token.trim_matches(['<', '>'])) && shown.contains("ada's editor"), "{shown}");
        assert_eq!(dav(&ada, "UNLOCK", "/dav/home/a", &[("lock-token", &token)], "").await.status, 204);
        assert_eq!(dav(&ada, "PUT", "/dav/home/a", &[], "b").await.status, 204);
    }

    async fn a_lock_whose_time_is_over_is_in_nobodys_way(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        lock(&ada, "/dav/home/a", &[("timeout", "Second-1")], LOCK).await;
        eventually("the lock to end", || async {
            (dav(&ada, "PUT", "/dav/home/a", &[], "b").await.status == 204).then_some(())
        }).await;
        let locks = ada.get("/api/drives/home/locks").await.expect(200);
        assert_eq!(locks["items"].as_array().unwrap().len(), 0);
    }

    async fn a_lock_that_is_refreshed_holds_on(server: Server) {
        let ada = mounted(&server).await;
        let token = lock(&ada, "/dav/home/a", &[("timeout", "Second-60")], LOCK).await;
        let headers = [("timeout", "Second-3600"), ("if", &*format!("({token})"))];
        let again = dav(&ada, "LOCK", "/dav/home/a", &headers, "").await;
        assert_eq!(again.status, 200, "{}", again.text());
        assert!(again.text().contains("<D:timeout>Second-3600</D:timeout>"), "{}", again.text());
        assert_eq!(dav(&ada, "LOCK", "/dav/home/a", &[("if", "(<urn:holdfast:nonsense>)")], "").await.status, 412);
    }

    async fn writes_over_rest_meet_the_same_locks(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "one").await;
        dav(&ada, "PUT", "/dav/home/a", &[], "two").await;
        let token = lock(&ada, "/dav/home/a", &[], LOCK).await;
        let file = "/api/drives/home/files/a";
        ada.put(file, "three").await.expect_problem_named(423, "locked");
        ada.delete(file).await.expect_problem(423);
        ada.post("/api/drives/home/moves", json!({"from": "a", "to": "b"})).await.expect_problem(423);
        let versions = ada.get("/api/sync/history/a").await.expect(200);
        let first = versions["versions"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        ada.post(&format!("/api/drives/home/versions/{first}/restore"), json!({})).await.expect_problem(423);
        assert_eq!(ada.get(file).await.text(), "two");
        let with_token = ada.request(Method::PUT, file).header("lock-token", &token).body("three");
        ada.send(with_token).await.expect(200);
    }

    async fn shared_locks_live_together_and_exclude_exclusive_ones(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let one = lock(&ada, "/dav/home/a", &[], SHARED).await;
        let two = lock(&ada, "/dav/home/a", &[], SHARED).await;
        assert_ne!(one, two);
        let refused = dav(&ada, "LOCK", "/dav/home/a", &[], LOCK).await;
        assert_eq!(refused.status, 423);
        assert!(refused.text().contains("no-conflicting-lock"), "{}", refused.text());
        assert_eq!(dav(&ada, "PUT", "/dav/home/a", &[("if", &format!("({two})"))], "b").await.status, 204);
    }

    async fn a_deep_lock_covers_what_is_within_and_what_comes(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a", &[], "a").await;
        let token = lock(&ada, "/dav/home/f", &[("depth", "infinity")], LOCK).await;
        for (method, path) in [("PUT", "/dav/home/f/a"), ("PUT", "/dav/home/f/new"), ("MKCOL", "/dav/home/f/sub"), ("DELETE", "/dav/home/f/a")] {
            assert_eq!(dav(&ada, method, path, &[], "").await.status, 423, "{method} {path}");
        }
        let tagged = format!("</dav/home/f> ({token})");
        assert_eq!(dav(&ada, "PUT", "/dav/home/f/new", &[("if", &tagged)], "").await.status, 201);
        assert_eq!(dav(&ada, "LOCK", "/dav/home/f/a", &[], LOCK).await.status, 423);
    }

    async fn a_lock_of_depth_0_keeps_a_folders_members_but_not_their_content(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a", &[], "a").await;
        lock(&ada, "/dav/home/f", &[("depth", "0")], LOCK).await;
        assert_eq!(dav(&ada, "PUT", "/dav/home/f/a", &[], "b").await.status, 204);
        assert_eq!(dav(&ada, "PUT", "/dav/home/f/new", &[], "").await.status, 423);
        assert_eq!(dav(&ada, "DELETE", "/dav/home/f/a", &[], "").await.status, 423);
        assert_eq!(dav(&ada, "LOCK", "/dav/home/f/other", &[], LOCK).await.status, 423);
        assert_eq!(ada.get("/api/drives/home/files/f/other").await.status, 404, "no file is left by a refused lock");
    }

    async fn a_folder_with_something_locked_in_it_stays_whole_and_says_what(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        for name in ["a", "b"] {
            dav(&ada, "PUT", &format!("/dav/home/f/{name}"), &[], name).await;
        }
        let token = lock(&ada, "/dav/home/f/b", &[], LOCK).await;
        for (method, headers) in [("DELETE", &[][..]), ("MOVE", &[("destination", "/dav/home/g")][..])] {
            let refused = dav(&ada, method, "/dav/home/f", headers, "").await;
            assert_eq!(refused.status, 207, "{method}");
            assert!(refused.text().contains("/dav/home/f/b") && refused.text().contains("423 Locked"), "{}", refused.text());
        }
        assert_eq!(dav(&ada, "GET", "/dav/home/f/a", &[], "").await.text(), "a");
        let tagged = format!("</dav/home/f/b> ({token})");
        assert_eq!(dav(&ada, "DELETE", "/dav/home/f", &[("if", &tagged)], "").await.status, 204);
    }

    async fn a_lock_stays_behind_when_its_file_moves(server: Server) {
        let ada = mounted(&server).await;
        let token = lock(&ada, "/dav/home/a", &[], LOCK).await;
        let headers = [("destination", "/dav/home/b"), ("if", &*format!("({token})"))];
        assert_eq!(dav(&ada, "MOVE", "/dav/home/a", &headers, "").await.status, 201);
        assert_eq!(dav(&ada, "PUT", "/dav/home/b", &[], "free").await.status, 204);
    }

    async fn locks_are_listed_and_broken_by_the_owner(server: Server) {
        let ada = mounted(&server).await;
        lock(&ada, "/dav/home/a", &[], LOCK).await;
        let locks = ada.get("/api/drives/home/locks").await.expect(200);
        let found = &locks["items"][0];
        assert_eq!((found["path"].as_str(), found["scope"].as_str()), (Some("/a"), Some("exclusive")));
        let (_, stranger) = server.member().await;
        let id = found["id"].as_str().unwrap();
        let drive = ada.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned();
        stranger.delete(&format!("/api/drives/{drive}/locks/{id}")).await.expect_problem(404);
        ada.delete(&format!("/api/drives/home/locks/{id}")).await.expect(204);
        ada.delete(&format!("/api/drives/home/locks/{id}")).await.expect_problem(404);
        assert_eq!(dav(&ada, "PUT", "/dav/home/a", &[], "free").await.status, 204);
    }

    async fn conditions_about_other_files_are_looked_at_too(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let tag = dav(&ada, "HEAD", "/dav/home/a", &[], "").await.header("etag").unwrap().to_owned();
        let if_a = format!("</dav/home/a> ([{tag}])");
        assert_eq!(dav(&ada, "PUT", "/dav/home/b", &[("if", &if_a)], "b").await.status, 201);
        dav(&ada, "PUT", "/dav/home/a", &[], "changed").await;
        assert_eq!(dav(&ada, "PUT", "/dav/home/b", &[("if", &if_a)], "c").await.status, 412);
        assert_eq!(dav(&ada, "PUT", "/dav/home/b", &[("if", "(Not <DAV:no-lock>)")], "c").await.status, 204);
        assert_eq!(dav(&ada, "PUT", "/dav/home/b", &[("if", "(nonsense")], "d").await.status, 400);
        assert_eq!(dav(&ada, "GET", "/dav/home/b", &[], "").await.text(), "c");
    }
}

//! Modification times are kept to the nanosecond and decide nothing.

use std::os::unix::fs::MetadataExt as _;

use serde_json::json;
use support::both_engines;

use crate::home::{Home, file, hash};

/// What the plain file says, in nanoseconds since 1970.
fn on_disk(home: &Home, path: &str) -> i64 {
    let stat = std::fs::metadata(home.root.join(path.trim_start_matches('/'))).unwrap();
    stat.mtime() * 1_000_000_000 + stat.mtime_nsec()
}

/// Every place that tells the time of a file says this one.
async fn is_told(home: &Home, path: &str, ns: i64) {
    assert_eq!(on_disk(home, path), ns, "the plain file");
    assert_eq!(home.entry(path).await["mtime_ns"], ns, "the tree");
    let got = home.client.get(&file(path)).await;
    assert_eq!(got.header("holdfast-mtime-ns"), Some(ns.to_string().as_str()), "the answer to GET");
}

both_engines! {
    async fn a_declared_time_is_kept_to_the_nanosecond(server: Server) {
        let home = Home::of(&server).await;
        let ns = 1_735_732_800_123_456_789_i64;
        for (path, name, value) in [("/oc.txt", "x-oc-mtime", "1735732800.123456789"),
            ("/own.txt", "holdfast-mtime-ns", "1735732800123456789")] {
            let made = home.put_with(path, "x", &[(name, value)]).await;
            assert_eq!(made.header("holdfast-mtime-ns"), Some(ns.to_string().as_str()));
            let made = made.expect(201);
            assert_eq!(made["mtime_ns"], ns);
            assert_eq!(made["modified_at"], "2025-01-01T12:00:00.123456789Z");
            is_told(&home, path, ns).await;
            assert_eq!(home.client.get(&file(path)).await.header("last-modified"), Some("Wed, 01 Jan 2025 12:00:00 GMT"));
            assert_eq!(home.versions(&made["id"]).await[0]["mtime_ns"], ns);
        }
    }

    async fn seconds_and_dates_do_as_well_and_the_most_exact_outweighs(server: Server) {
        let home = Home::of(&server).await;
        let date = ("last-modified", "Wed, 01 Jan 2025 12:00:00 GMT");
        home.put_with("/date.txt", "x", &[date]).await.expect(201);
        is_told(&home, "/date.txt", 1_735_732_800_000_000_000).await;
        home.put_with("/seconds.txt", "x", &[("x-oc-mtime", "1600000000"), date]).await.expect(201);
        is_told(&home, "/seconds.txt", 1_600_000_000_000_000_000).await;
        let exact = ("holdfast-mtime-ns", "1500000000000000001");
        home.put_with("/exact.txt", "x", &[("x-oc-mtime", "1600000000"), date, exact]).await.expect(201);
        is_told(&home, "/exact.txt", 1_500_000_000_000_000_001).await;
    }

    async fn times_before_1970_and_far_ahead_are_times(server: Server) {
        let home = Home::of(&server).await;
        for (n, ns) in [-1_i64, 0, -1_500_000_000, -1_000_000_000_000_000_000, 4_102_444_800_000_000_001].into_iter().enumerate() {
            let path = format!("/{n}.txt");
            home.put_with(&path, "x", &[("holdfast-mtime-ns", &ns.to_string())]).await.expect(201);
            is_told(&home, &path, ns).await;
        }
    }

    async fn a_time_follows_its_content(server: Server) {
        let home = Home::of(&server).await;
        let (old, new) = (1_500_000_000_000_000_001_i64, 1_600_000_000_000_000_002_i64);
        let made = home.put_with("/a.txt", "old", &[("holdfast-mtime-ns", &old.to_string())]).await.expect(201);
        home.rename("/a.txt", "/b.txt").await.expect(200);
        is_told(&home, "/b.txt", old).await;
        home.copy("/b.txt", "/copy.txt").await.expect(201);
        is_told(&home, "/copy.txt", old).await;
        home.put_with("/b.txt", "new", &[("holdfast-mtime-ns", &new.to_string())]).await.expect(200);
        is_told(&home, "/b.txt", new).await;
        let versions = home.versions(&made["id"]).await;
        assert_eq!((&versions[0]["mtime_ns"], &versions[1]["mtime_ns"]), (&json!(new), &json!(old)));
        let address = format!("/api/drives/home/versions/{}/restore", versions[1]["id"].as_str().unwrap());
        home.client.post(&address, json!({})).await.expect(200);
        is_told(&home, "/b.txt", old).await;
    }

    async fn an_older_time_does_not_keep_a_content_from_being_the_newest(server: Server) {
        let home = Home::of(&server).await;
        home.put_with("/a.txt", "first", &[("x-oc-mtime", "2000000000")]).await.expect(201);
        let second = home.put_with("/a.txt", "second", &[("x-oc-mtime", "1000000000")]).await.expect(200);
        assert_eq!((&second["hash"], &second["version"]), (&json!(hash("second")), &json!(2)));
        assert_eq!(home.read("/a.txt").await, "second");
    }

    async fn a_content_sent_again_with_another_time_changes_the_time_alone(server: Server) {
        let home = Home::of(&server).await;
        home.put_with("/a.txt", "same", &[("x-oc-mtime", "1000000000")]).await.expect(201);
        let touched = home.put_with("/a.txt", "same", &[("x-oc-mtime", "1100000000")]).await.expect(200);
        assert_eq!(touched["mtime_ns"], 1_100_000_000_000_000_000_i64);
        is_told(&home, "/a.txt", 1_100_000_000_000_000_000).await;
        assert_eq!(home.read("/a.txt").await, "same");
    }

    async fn a_time_survives_a_restart(server: Server) {
        let mut server = server;
        let home = Home::of(&server).await;
        home.put_with("/a.txt", "x", &[("x-oc-mtime", "1735732800.000000001")]).await.expect(201);
        server.restart().await;
        is_told(&home.at(&server), "/a.txt", 1_735_732_800_000_000_001).await;
    }
}

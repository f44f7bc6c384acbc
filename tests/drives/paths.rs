//! Which drive holds a path: by whole names, and by the rules of the device's system (000-13).

use serde_json::{Value, json};
use support::both_engines;

use crate::{device, drive_for, found, put, report};

fn some(identifier: &str, below: &str) -> Option<(String, String)> {
    Some((identifier.to_owned(), below.to_owned()))
}

both_engines! {
    async fn what_merely_begins_alike_or_looks_like_a_pattern_is_another_place(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        report(&ada, "laptop", &[("usb", "/media/usb"), ("x", "/media/my_disk"), ("percent", "/data/50%")]).await;
        assert_eq!(found(&ada, "laptop", "/media/usb2/a").await, None);
        assert_eq!(found(&ada, "laptop", "/media/usb").await, some("usb", ""));
        assert_eq!(found(&ada, "laptop", "/media/usb/").await, some("usb", ""));
        assert_eq!(found(&ada, "laptop", "/media//usb/a").await, some("usb", "a"));
        assert_eq!(found(&ada, "laptop", "/media/myXdisk/a").await, None);
        assert_eq!(found(&ada, "laptop", "/media/my_disk/a").await, some("x", "a"));
        assert_eq!(found(&ada, "laptop", "/data/50% off/a").await, None);
        assert_eq!(found(&ada, "laptop", "/data/50%/a").await, some("percent", "a"));
        assert_eq!(found(&ada, "laptop", "/MEDIA/usb/a").await, None);
    }

    async fn the_innermost_place_that_is_there_counts(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        report(&ada, "laptop", &[("root", "/"), ("srv", "/srv/"), ("photos", "/srv/data/photos")]).await;
        assert_eq!(found(&ada, "laptop", "/srv/data/photos/1.jpg").await, some("photos", "1.jpg"));
        assert_eq!(found(&ada, "laptop", "/srv/data/photos2/1.jpg").await, some("srv", "data/photos2/1.jpg"));
        assert_eq!(found(&ada, "laptop", "/etc/hosts").await, some("root", "etc/hosts"));
        report(&ada, "laptop", &[("root", "/"), ("srv", "/srv/")]).await;
        assert_eq!(found(&ada, "laptop", "/srv/data/photos/1.jpg").await, some("srv", "data/photos/1.jpg"));
    }

    async fn windows_paths_are_read_as_windows_reads_them(server: Server) {
        let ada = server.admin().await;
        device(&ada, "pc", "windows").await;
        report(&ada, "pc", &[("d", "D:\\"), ("users", "C:\\Users"), ("share", "\\\\nas\\photos")]).await;
        for path in ["d:\\a\\b", "D:/a/b", "\\\\?\\D:\\a\\b"] {
            assert_eq!(found(&ada, "pc", path).await, some("d", "a/b"), "{path}");
        }
        assert_eq!(found(&ada, "pc", "c:\\users\\Ada").await, some("users", "Ada"));
        assert_eq!(found(&ada, "pc", "C:\\Users2\\Ada").await, None);
        assert_eq!(found(&ada, "pc", "\\\\NAS\\Photos\\2024").await, some("share", "2024"));
        assert_eq!(found(&ada, "pc", "\\\\nas\\photos2\\2024").await, None);
        for path in ["/media/usb", "D:relative", "a\\b", "D:\\a\\..\\b"] {
            drive_for(&ada, "pc", path).await.expect_problem_named(422, "bad-path");
        }
    }

    async fn several_paths_are_answered_in_one_call_each_for_itself(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        report(&ada, "laptop", &[("a", "/media/a"), ("b", "/media/b")]).await;
        let paths = json!({"paths": ["/media/b/1", "relative", "/media/c", "/media/a/2/3"]});
        let told = ada.post("/api/devices/laptop/drives-for-paths", paths).await.expect(200);
        let told: Vec<(&Value, &Value)> =
            told["items"].as_array().unwrap().iter().map(|one| (&one["found"]["drive"]["unique_identifier"], &one["found"]["relative_path"])).collect();
        assert_eq!(told, [(&json!("b"), &json!("1")), (&Value::Null, &Value::Null), (&Value::Null, &Value::Null), (&json!("a"), &json!("2/3"))]);
        let many = json!({"paths": vec!["/x"; 101]});
        ada.post("/api/devices/laptop/drives-for-paths", many).await.expect_problem(422);
    }

    async fn among_thousands_of_places_the_right_one_is_found(server: Server) {
        let ada = server.admin().await;
        let places = |device: usize| {
            let drives: Vec<Value> = (0..1_000)
                .map(|n| json!({"unique_identifier": format!("disk {n}"), "mount_point": format!("/mnt/{device}/disk {n}")}))
                .collect();
            json!({"drives": drives})
        };
        for number in 0..3 {
            let name = format!("device {number}");
            device(&ada, &name, "linux").await;
            put(&ada, &format!("/api/devices/{name}/drives"), &places(number)).await.expect(200);
        }
        assert_eq!(found(&ada, "device 2", "/mnt/2/disk 777/a/b").await, some("disk 777", "a/b"));
        assert_eq!(found(&ada, "device 2", "/mnt/1/disk 777/a/b").await, None);
    }

    async fn a_drive_that_is_shared_no_longer_holds_no_path_of_who_had_it(server: Server) {
        let ada = server.admin().await;
        let (_, eve) = server.member().await;
        let name = eve.get("/api/me").await.expect(200)["username"].as_str().unwrap().to_owned();
        let body = json!({"name": "Films", "kind": "usb", "unique_identifier": "films"});
        let drive = ada.post("/api/drives", body).await.expect(201)["id"].as_str().unwrap().to_owned();
        put(&ada, &format!("/api/drives/{drive}/members/{name}"), &json!({"role": "viewer"})).await.expect(200);
        device(&eve, "eve", "linux").await;
        put(&eve, &format!("/api/drives/{drive}/mounts/eve"), &json!({"mount_point": "/media/films"})).await.expect(200);
        assert_eq!(found(&eve, "eve", "/media/films/a").await, some("films", "a"));
        ada.delete(&format!("/api/drives/{drive}/members/{name}")).await.expect(204);
        assert_eq!(found(&eve, "eve", "/media/films/a").await, None);
    }
}

//! One drive, however many devices see it, each at its own place.

use serde_json::{Value, json};
use support::{Client, both_engines};

use crate::{device, drive_for, found, put, report};

/// What a device has, as drive identifier (by its name here), place, and whether it is there.
async fn mounts(client: &Client, device: &str) -> Vec<(String, bool)> {
    let mounts = client.get(&format!("/api/devices/{device}/drives")).await.expect(200);
    let told = |mount: &Value| {
        (mount["mount_point"].as_str().unwrap().to_owned(), mount["is_available"].as_bool().unwrap())
    };
    mounts["items"].as_array().unwrap().iter().map(told).collect()
}

async fn history(client: &Client, drive: &str, device: &str) -> Vec<String> {
    let past = client.get(&format!("/api/drives/{drive}/mounts/{device}/history")).await.expect(200);
    let told = |one: &Value| {
        let is_there = if one["is_available"] == true { "there" } else { "gone" };
        format!("{} {} {is_there}", one["reason"].as_str().unwrap(), one["mount_point"].as_str().unwrap())
    };
    past["items"].as_array().unwrap().iter().rev().map(told).collect()
}

both_engines! {
    async fn the_same_usb_on_two_laptops_is_one_drive_with_two_places(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop-1", "linux").await;
        device(&ada, "laptop-2", "linux").await;
        let first = report(&ada, "laptop-1", &[("USB-SERIAL-12345", "/media/usb")]).await;
        let second = report(&ada, "laptop-2", &[("USB-SERIAL-12345", "/mnt/usb")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap().to_owned();
        assert_eq!(second["items"][0]["drive_id"], drive.as_str());
        let shown = ada.get(&format!("/api/drives/{drive}")).await.expect(200);
        assert_eq!(shown["unique_identifier"], "USB-SERIAL-12345");
        assert_eq!(shown["state"], "reported");
        let mounts = shown["client_mounts"].as_array().unwrap();
        assert_eq!(mounts.len(), 2);
        assert_eq!((&mounts[0]["client_id"], &mounts[0]["mount_point"]), (&json!("laptop-1"), &json!("/media/usb")));
        assert_eq!((&mounts[1]["client_id"], &mounts[1]["mount_point"]), (&json!("laptop-2"), &json!("/mnt/usb")));
        assert!(mounts.iter().all(|mount| mount["is_available"] == true && mount["last_seen_at"].is_string()));
        // The list tells of places only when it is asked to.
        let listed = ada.get("/api/drives?include=mounts").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().iter().map(|d| d["client_mounts"].as_array().unwrap().len()).sum::<usize>(), 2);
        assert!(ada.get("/api/drives").await.expect(200)["items"][0].get("client_mounts").is_none());
        // A drive without any has an empty list, not a 404.
        assert_eq!(ada.get("/api/drives/home/mounts").await.expect(200)["items"], json!([]));
        assert_eq!(ada.get("/api/drives/home").await.expect(200)["client_mounts"], json!([]));
    }

    async fn one_cloud_folder_on_three_laptops_keeps_each_systems_path_as_it_is_written(server: Server) {
        let ada = server.admin().await;
        let places = [
            ("laptop-1", "linux", "/home/user1/OneDrive", "/home/user1/OneDrive/Docs/a.pdf"),
            ("laptop-2", "macos", "/Users/user/OneDrive", "/users/USER/onedrive/Docs/a.pdf"),
            ("laptop-3", "Windows 11", "C:\\Users\\user\\OneDrive", "c:\\users\\User\\OneDrive\\Docs\\a.pdf"),
        ];
        for (name, platform, place, _) in places {
            device(&ada, name, platform).await;
            // Document 000's own names for two fields.
            let drive = json!({"unique_identifier": "ONEDRIVE-user@example.com", "drive_type": "cloud",
                "cloud_provider": "onedrive", "mount_point": place, "sync_status": "up_to_date"});
            put(&ada, &format!("/api/devices/{name}/drives"), &json!({"drives": [drive]})).await.expect(200);
        }
        let drives = ada.get("/api/drives?include=mounts").await.expect(200);
        let drives = drives["items"].as_array().unwrap();
        assert_eq!(drives.len(), 2, "home and one cloud folder");
        let cloud = drives.iter().find(|drive| drive["kind"] == "cloud").unwrap();
        assert_eq!((&cloud["provider"], &cloud["name"]), (&json!("onedrive"), &json!("Cloud folder")));
        let told: Vec<&str> = cloud["client_mounts"].as_array().unwrap().iter().map(|m| m["mount_point"].as_str().unwrap()).collect();
        assert_eq!(told, places.map(|(_, _, place, _)| place));
        assert_eq!(cloud["client_mounts"][0]["sync_status"], "up_to_date");
        for (name, _, _, path) in places {
            let expected = Some(("ONEDRIVE-user@example.com".to_owned(), "Docs/a.pdf".to_owned()));
            assert_eq!(found(&ada, name, path).await, expected, "{path}");
        }
    }

    async fn a_path_is_looked_for_among_the_places_of_that_device_alone(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop-1", "linux").await;
        device(&ada, "laptop-2", "linux").await;
        report(&ada, "laptop-1", &[("USB-SERIAL-12345", "/media/usb")]).await;
        report(&ada, "laptop-2", &[("USB-SERIAL-12345", "/mnt/usb"), ("OTHER", "/media/usb")]).await;
        let answer = drive_for(&ada, "laptop-1", "/media/usb/Documents/file.pdf").await.expect(200);
        assert_eq!(answer["drive"]["unique_identifier"], "USB-SERIAL-12345");
        assert_eq!(answer["mount"]["mount_point"], "/media/usb");
        assert_eq!(answer["relative_path"], "Documents/file.pdf");
        assert_eq!(found(&ada, "laptop-2", "/media/usb/x").await, Some(("OTHER".to_owned(), "x".to_owned())));
        assert_eq!(found(&ada, "laptop-1", "/mnt/usb/x").await, None);
    }

    async fn what_a_device_no_longer_names_is_not_there_any_more_and_comes_back_as_the_same(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let first = report(&ada, "laptop", &[("A", "/media/a"), ("B", "/media/b")]).await;
        report(&ada, "laptop", &[("B", "/media/b")]).await;
        assert_eq!(mounts(&ada, "laptop").await, [("/media/a".to_owned(), false), ("/media/b".to_owned(), true)]);
        assert_eq!(found(&ada, "laptop", "/media/a/x").await, None);
        let again = report(&ada, "laptop", &[("A", "/run/media/a"), ("B", "/media/b")]).await;
        assert_eq!(again["items"][0]["id"], first["items"][0]["id"], "one mount over all reports");
        assert_eq!(found(&ada, "laptop", "/run/media/a/x").await, Some(("A".to_owned(), "x".to_owned())));
        let drive = first["items"][0]["drive_id"].as_str().unwrap();
        let told = ["reported /media/a there", "not-reported /media/a gone", "moved /run/media/a there"];
        assert_eq!(history(&ada, drive, "laptop").await, told);
        // What was said once more is no news.
        report(&ada, "laptop", &[("A", "/run/media/a"), ("B", "/media/b")]).await;
        assert_eq!(history(&ada, drive, "laptop").await, told);
        let events = ada.get("/api/events?limit=1000").await.expect(200);
        let changed = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "mount-changed");
        let changed: Vec<&Value> = changed.filter(|event| event["drive"]["id"] == drive || event["drive_id"] == drive).collect();
        assert_eq!(changed.len(), 3, "{events}");
        assert_eq!(changed[1]["detail"]["is_mounted"], false);
    }

    async fn a_usb_that_moves_to_another_laptop_stays_with_the_first_until_that_one_speaks(server: Server) {
        let ada = server.admin().await;
        device(&ada, "a", "linux").await;
        device(&ada, "b", "linux").await;
        report(&ada, "a", &[("USB", "/media/usb")]).await;
        report(&ada, "b", &[("USB", "/media/usb")]).await;
        assert_eq!(mounts(&ada, "a").await, [("/media/usb".to_owned(), true)]);
        report(&ada, "a", &[]).await;
        assert_eq!(mounts(&ada, "a").await, [("/media/usb".to_owned(), false)]);
        assert_eq!(mounts(&ada, "b").await, [("/media/usb".to_owned(), true)]);
    }

    async fn of_two_drives_at_one_place_the_newer_is_there(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let first = report(&ada, "laptop", &[("A", "/media/usb"), ("B", "/media/b")]).await;
        let (a, b) = (first["items"][0]["drive_id"].as_str().unwrap(), first["items"][1]["drive_id"].as_str().unwrap());
        put(&ada, &format!("/api/drives/{b}/mounts/laptop"), &json!({"mount_point": "/media/usb/"})).await.expect(200);
        assert_eq!(found(&ada, "laptop", "/media/usb/x").await, Some(("B".to_owned(), "x".to_owned())));
        assert_eq!(history(&ada, a, "laptop").await, ["reported /media/usb there", "displaced /media/usb gone"]);
        let shown = ada.get(&format!("/api/drives/{a}/mounts/laptop")).await.expect(200);
        assert_eq!(shown["is_available"], false);
        // Both at once says nothing that could be true.
        let both = json!({"drives": [{"drive": a, "mount_point": "/x"}, {"drive": b, "mount_point": "/x/"}]});
        put(&ada, "/api/devices/laptop/drives", &both).await.expect_problem(422);
        assert_eq!(found(&ada, "laptop", "/media/usb/x").await, Some(("B".to_owned(), "x".to_owned())));
    }

    async fn two_drives_that_change_places_in_one_report_are_both_there(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        report(&ada, "laptop", &[("A", "/1"), ("B", "/2")]).await;
        report(&ada, "laptop", &[("A", "/2"), ("B", "/1")]).await;
        assert_eq!(found(&ada, "laptop", "/1/x").await.unwrap().0, "B");
        assert_eq!(found(&ada, "laptop", "/2/x").await.unwrap().0, "A");
    }

    async fn a_revoked_device_has_no_drives_any_more(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let first = report(&ada, "laptop", &[("A", "/media/a")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap();
        ada.delete("/api/devices/laptop").await.expect(204);
        let shown = ada.get(&format!("/api/drives/{drive}")).await.expect(200);
        assert_eq!(shown["client_mounts"][0]["is_available"], false);
        drive_for(&ada, "laptop", "/media/a/x").await.expect_problem_named(404, "unknown-device");
    }

    async fn a_drive_of_which_only_devices_know_is_out_of_reach_and_not_gone(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let first = report(&ada, "laptop", &[("A", "/media/a")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap();
        let answer = ada.get(&format!("/api/drives/{drive}/files/x")).await;
        assert!(answer.header("retry-after").is_some());
        answer.expect_problem_named(503, "drive-offline");
        ada.get(&format!("/api/drives/{drive}/tree/")).await.expect_problem(503);
        let listing = ada.send(ada.request(reqwest::Method::from_bytes(b"PROPFIND").unwrap(), "/dav/").header("Depth", "1")).await;
        assert!(!listing.text().contains("USB%20disk"), "{}", listing.text());
    }

    async fn where_others_have_a_drive_is_told_to_its_owner_alone(server: Server) {
        let ada = server.admin().await;
        let (_, eve) = server.member().await;
        let name = eve.get("/api/me").await.expect(200)["username"].as_str().unwrap().to_owned();
        device(&ada, "laptop", "linux").await;
        device(&eve, "eve", "linux").await;
        let first = report(&ada, "laptop", &[("A", "/home/ada/secret place")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap().to_owned();
        put(&ada, &format!("/api/drives/{drive}/members/{name}"), &json!({"role": "editor"})).await.expect(200);
        put(&eve, &format!("/api/drives/{drive}/mounts/eve"), &json!({"mount_point": "/media/a"})).await.expect(200);
        for (client, expected) in [(&ada, vec!["/home/ada/secret place", "/media/a"]), (&eve, vec!["/media/a"])] {
            let places = |mounts: &Value| -> Vec<String> {
                mounts.as_array().unwrap().iter().map(|mount| mount["mount_point"].as_str().unwrap().to_owned()).collect()
            };
            assert_eq!(places(&client.get(&format!("/api/drives/{drive}")).await.expect(200)["client_mounts"]), expected);
            assert_eq!(places(&client.get(&format!("/api/drives/{drive}/mounts")).await.expect(200)["items"]), expected);
            let listed = client.get("/api/drives?include=mounts").await.expect(200);
            let shown = listed["items"].as_array().unwrap().iter().find(|one| one["id"] == drive.as_str()).unwrap().clone();
            assert_eq!(places(&shown["client_mounts"]), expected);
        }
    }
}

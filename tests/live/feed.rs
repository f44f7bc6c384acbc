//! The feed of a drive tells whoever follows it what the drive holds.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Client, both_engines};

use crate::mirror::{Mirror, listed};

async fn put(client: &Client, path: &str, content: &str) -> Answer {
    client.put(&format!("/api/drives/home/files{path}?parents=true"), content.to_owned()).await
}

async fn rename(client: &Client, from: &str, to: &str) -> Answer {
    let body = json!({"from": from, "to": to, "parents": true});
    client.post("/api/drives/home/moves", body).await
}

/// Something that a person might do; whether it can be done is not asked before.
async fn act(client: &Client, rng: &mut StdRng) {
    let paths: Vec<String> = listed(client, "home").await.into_keys().collect();
    let name = |rng: &mut StdRng| char::from(b'a' + rng.random_range(0..6)).to_string();
    let some = |rng: &mut StdRng| match paths.len() {
        0 => "/a".to_owned(),
        many => paths[rng.random_range(0..many)].clone(),
    };
    let place = |rng: &mut StdRng| match rng.random_range(0..3) {
        0 => format!("/{}", name(rng)),
        1 => format!("{}/{}", some(rng), name(rng)),
        _ => some(rng),
    };
    let answer = match rng.random_range(0..10) {
        0..4 => put(client, &place(rng), &rng.random_range(0..50).to_string()).await,
        4 => client.post("/api/drives/home/folders", json!({"path": place(rng), "parents": true})).await,
        5..7 => rename(client, &some(rng), &place(rng)).await,
        7 => {
            let body = json!({"from": some(rng), "to": place(rng), "overwrite": true});
            client.post("/api/drives/home/moves", body).await
        }
        8 => client.delete(&format!("/api/drives/home/files{}", some(rng))).await,
        _ => {
            let trash = client.get("/api/drives/home/trash").await.expect(200);
            let items = trash["items"].as_array().unwrap();
            if items.is_empty() {
                return;
            }
            let id = items[rng.random_range(0..items.len())]["id"].as_str().unwrap().to_owned();
            client.post(&format!("/api/drives/home/trash/{id}/restore"), json!({})).await
        }
    };
    assert!(matches!(answer.status, 200..=204 | 404 | 409), "{}: {}", answer.status, answer.text());
}

async fn feed(client: &Client, query: &str) -> Value {
    client.get(&format!("/api/drives/home/changes{query}")).await.expect(200)
}

fn names(page: &Value) -> Vec<&str> {
    page["changes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

both_engines! {
    async fn who_follows_the_feed_holds_what_the_drive_holds(server: Server) {
        let client = server.admin().await;
        let seed = rand::rng().random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut follower = Mirror::of(&client, "home", 3);
        for round in 0..12 {
            for _ in 0..rng.random_range(1..9) {
                act(&client, &mut rng).await;
            }
            follower.catch_up().await;
            let drive = listed(&client, "home").await;
            assert_eq!(follower.tree(), drive, "after round {round}");
            // And whoever comes now, in pages of any length.
            for limit in [1, 2, 5, 1000] {
                let mut late = Mirror::of(&client, "home", limit);
                late.catch_up().await;
                assert_eq!(late.tree(), drive, "in pages of {limit} after round {round}");
            }
        }
        assert!(follower.catch_up().await.is_empty(), "nothing has changed since");
    }

    async fn a_node_is_told_once_at_its_latest_change(server: Server) {
        let client = server.admin().await;
        put(&client, "/A/a.txt", "one").await.expect(201);
        put(&client, "/A/b.txt", "b").await.expect(201);
        let mut follower = Mirror::of(&client, "home", 100);
        assert_eq!(follower.catch_up().await.len(), 3);
        put(&client, "/A/a.txt", "two").await.expect(200);
        let written = put(&client, "/A/a.txt", "three").await.expect(200);
        let id = written["id"].as_str().unwrap();
        assert_eq!(follower.catch_up().await, [id]);
        let node = follower.node(id);
        assert_eq!((&node["hash"], &node["size"], &node["mtime_ns"]), (&written["hash"], &json!(5), &written["mtime_ns"]));
        assert_eq!((&node["state"], &node["kind"], &node["name"]), (&json!("live"), &json!("file"), &json!("a.txt")));
        // What lies beneath a folder is not told when the folder moves or goes.
        rename(&client, "/A", "/B").await.expect(200);
        assert_eq!(follower.catch_up().await.len(), 1);
        assert_eq!(follower.tree(), listed(&client, "home").await);
        client.delete("/api/drives/home/files/B").await.expect(204);
        let told = follower.catch_up().await;
        assert_eq!((told.len(), &follower.node(&told[0])["state"]), (1, &json!("dead")));
        assert!(follower.tree().is_empty());
    }

    async fn what_is_in_the_root_has_no_parent_and_all_else_has(server: Server) {
        let client = server.admin().await;
        put(&client, "/A/a.txt", "a").await.expect(201);
        let page = feed(&client, "").await;
        assert_eq!(names(&page), ["A", "a.txt"], "the root itself is not told");
        assert_eq!(page["changes"][0]["parent"], Value::Null);
        assert_eq!(page["changes"][1]["parent"], page["changes"][0]["id"]);
    }

    async fn a_folder_that_was_deleted_before_comes_back_with_what_is_in_it(server: Server) {
        let client = server.admin().await;
        put(&client, "/A/B/b.txt", "b").await.expect(201);
        put(&client, "/other.txt", "x").await.expect(201);
        client.delete("/api/drives/home/files/A").await.expect(204);
        let mut follower = Mirror::of(&client, "home", 100);
        follower.catch_up().await;
        assert_eq!(follower.tree().into_keys().collect::<Vec<_>>(), ["/other.txt"]);
        let trash = client.get("/api/drives/home/trash").await.expect(200);
        let id = trash["items"][0]["id"].as_str().unwrap();
        client.post(&format!("/api/drives/home/trash/{id}/restore"), json!({})).await.expect(201);
        assert_eq!(follower.catch_up().await, [id]);
        assert_eq!(follower.tree(), listed(&client, "home").await);
    }

    async fn what_is_dead_is_left_out_only_where_nothing_was_known(server: Server) {
        let client = server.admin().await;
        let empty = feed(&client, "").await;
        put(&client, "/a.txt", "a").await.expect(201);
        put(&client, "/b.txt", "b").await.expect(201);
        client.delete("/api/drives/home/files/a.txt").await.expect(204);
        assert_eq!(names(&feed(&client, "").await), ["b.txt"]);
        let since = feed(&client, &format!("?since={}", empty["token"].as_str().unwrap())).await;
        assert_eq!(names(&since), ["b.txt", "a.txt"]);
        assert_eq!(since["changes"][1]["state"], "dead");
        assert_eq!(since["reset"], false);
    }

    async fn an_empty_drive_has_a_token_too(server: Server) {
        let client = server.admin().await;
        let page = feed(&client, "").await;
        assert_eq!((&page["changes"], &page["more"], &page["reset"]), (&json!([]), &json!(false), &json!(false)));
        let again = feed(&client, &format!("?since={}", page["token"].as_str().unwrap())).await;
        assert_eq!(again, page);
    }

    async fn a_token_that_says_nothing_about_the_drive_begins_anew(server: Server) {
        let client = server.admin().await;
        put(&client, "/a.txt", "a").await.expect(201);
        put(&client, "/gone.txt", "x").await.expect(201);
        client.delete("/api/drives/home/files/gone.txt").await.expect(204);
        let (_, other) = server.member().await;
        let theirs = feed(&other, "").await["token"].as_str().unwrap().to_owned();
        let beginning = feed(&client, "").await;
        for token in [theirs.as_str(), "8b1f4c1e-6f4a-4b7e-9a55-0d3c0c7b2a11", "nonsense", "%00", "42"] {
            let page = feed(&client, &format!("?since={token}")).await;
            assert_eq!(page["reset"], true, "{token}");
            assert_eq!((&page["changes"], &page["token"]), (&beginning["changes"], &beginning["token"]), "{token}");
        }
        assert_eq!(feed(&client, "?since=").await, beginning);
    }

    async fn a_token_outlives_a_restart(server: Server) {
        let mut server = server;
        let client = server.admin().await;
        put(&client, "/a.txt", "a").await.expect(201);
        let mut follower = Mirror::of(&client, "home", 1);
        follower.catch_up().await;
        server.restart().await;
        let client = client.at(server.url());
        assert_eq!(feed(&client, &format!("?since={}", follower.token())).await["changes"], json!([]));
    }

    async fn limits_that_are_no_numbers_are_refused_and_others_have_bounds(server: Server) {
        let client = server.admin().await;
        put(&client, "/A/a.txt", "a").await.expect(201);
        for limit in ["x", "-1", "1.5", "99999999999", ""] {
            client.get(&format!("/api/drives/home/changes?limit={limit}")).await.expect_problem(400);
        }
        assert_eq!(names(&feed(&client, "?limit=0").await), ["A"]);
        assert_eq!(names(&feed(&client, "?limit=4000000000").await), ["A", "a.txt"]);
    }

    async fn anothers_drive_has_no_feed(server: Server) {
        let client = server.admin().await;
        let drive = client.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned();
        let address = format!("/api/drives/{drive}/changes");
        let (_, stranger) = server.member().await;
        client.get(&address).await.expect(200);
        stranger.get(&address).await.expect_problem(404);
        server.client().get(&address).await.expect_problem(401);
        client.send(client.request(Method::POST, &address)).await.expect_problem(405);
    }
}

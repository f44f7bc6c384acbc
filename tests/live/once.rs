//! Requests that are made again because their answer was lost.
//!
//! Seen to fail with: fingerprints that are not compared; an answer that is not kept; several at once with one key.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Client, both_engines};

async fn post(client: &Client, noun: &str, key: &str, body: Value) -> Answer {
    let ask = client.request(Method::POST, &format!("/api/drives/home/{noun}"));
    client.send(ask.header("Idempotency-Key", key).json(&body)).await
}

async fn put(client: &Client, path: &str, content: &str) {
    let answer = client.put(&format!("/api/drives/home/files/{path}"), content.to_owned()).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

async fn batch(client: &Client, key: &str, body: &'static str) -> Answer {
    let ask = client.request(Method::POST, "/api/drives/home/batch").header("Idempotency-Key", key);
    client.send(ask.header("Content-Type", "application/x-holdfast-batch").body(body)).await
}

async fn paths(client: &Client) -> Vec<String> {
    let tree = client.get("/api/drives/home/tree?recursive=true").await.expect(200);
    let entries = tree["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
}

both_engines! {
    async fn a_move_that_is_made_again_is_answered_as_the_first_time(server: Server) {
        let mut server = server;
        let client = server.admin().await;
        put(&client, "a", "one").await;
        let first = post(&client, "moves", "\"k1\"", json!({"from": "/a", "to": "/b"})).await;
        assert_eq!(first.header("idempotency-replayed"), None);
        let first = first.expect(200);
        // Since then another file came to the old place: it is not moved.
        put(&client, "a", "another").await;
        server.kill9();
        server.launch().await;
        let client = client.at(server.url());
        let again = post(&client, "moves", "k1", json!({"to": "/b", "from": "/a"})).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.expect(200), first);
        assert_eq!(paths(&client).await, ["/a", "/b"]);
        assert_eq!(client.get("/api/drives/home/files/b").await.text(), "one");
    }

    async fn a_copy_that_is_made_again_is_made_once(server: Server) {
        let client = server.admin().await;
        put(&client, "a", "one").await;
        let first = post(&client, "copies", "k", json!({"from": "/a", "to": "/b"})).await.expect(201);
        put(&client, "b", "edited").await;
        let again = post(&client, "copies", "k", json!({"from": "/a", "to": "/b", "expect": null})).await;
        assert_eq!(again.expect(201), first);
        assert_eq!(client.get("/api/drives/home/files/b").await.text(), "edited");
    }

    async fn a_batch_that_is_made_again_is_done_once(server: Server) {
        let client = server.admin().await;
        put(&client, "a", "one").await;
        let body = "{\"act\":\"move\",\"from\":\"/a\",\"to\":\"/b\"}\n{\"act\":\"put\",\"path\":\"/c\",\"size\":3}\nnew\n";
        let first = batch(&client, "k", body).await;
        assert_eq!(first.status, 200, "{}", first.text());
        put(&client, "c", "edited").await;
        let again = batch(&client, "k", body).await;
        assert_eq!((again.text(), again.header("idempotency-replayed")), (first.text(), Some("true")));
        assert_eq!(client.get("/api/drives/home/files/c").await.text(), "edited");
        batch(&client, "k", "{\"act\":\"put\",\"path\":\"/c\",\"size\":3}\nold\n").await.expect_problem_named(422, "key-reused");
    }

    async fn a_key_is_good_for_one_request_of_one_account(server: Server) {
        let client = server.admin().await;
        put(&client, "a", "one").await;
        post(&client, "moves", "k", json!({"from": "/a", "to": "/b"})).await.expect(200);
        for body in [json!({"from": "/b", "to": "/a"}), json!({"from": "/a", "to": "/b", "overwrite": true})] {
            post(&client, "moves", "k", body).await.expect_problem_named(422, "key-reused");
        }
        post(&client, "copies", "k", json!({"from": "/a", "to": "/b"})).await.expect_problem_named(422, "key-reused");
        let (_, other) = server.member().await;
        put(&other, "a", "theirs").await;
        post(&other, "moves", "k", json!({"from": "/a", "to": "/b"})).await.expect(200);
        assert_eq!(other.get("/api/drives/home/files/b").await.text(), "theirs");
        for bad in ["", "\"\"", &"x".repeat(256)] {
            post(&client, "moves", bad, json!({"from": "/b", "to": "/a"})).await.expect_problem(400);
        }
    }

    async fn a_refusal_is_not_kept_for_it_changed_nothing(server: Server) {
        let client = server.admin().await;
        let body = json!({"from": "/a", "to": "/b"});
        post(&client, "moves", "k", body.clone()).await.expect_problem(404);
        put(&client, "a", "one").await;
        post(&client, "moves", "k", body).await.expect(200);
        assert_eq!(paths(&client).await, ["/b"]);
    }

    async fn of_many_at_once_with_one_key_one_is_carried_out(server: Server) {
        let client = server.admin().await;
        put(&client, "a", "one").await;
        let one = || post(&client, "copies", "k", json!({"from": "/a", "to": "/b"}));
        let answers = futures_util::future::join_all((0..10).map(|_| one())).await;
        let mut made = 0;
        for answer in answers {
            match answer.status {
                201 => made += usize::from(answer.header("idempotency-replayed").is_none()),
                _ => drop(answer.expect_problem_named(409, "request-running")),
            }
        }
        assert_eq!(made, 1);
        let versions = client.get("/api/sync/history/b").await.expect(200);
        assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    }
}

//! Many small contents in one answer.

use serde_json::{Value, json};
use support::{Answer, Client, both_engines};

use crate::records::{batch, hash, put, unpack};

async fn ask(client: &Client, files: Value) -> Answer {
    client.post("/api/drives/home/contents", json!({ "files": files })).await
}

both_engines! {
    async fn contents_come_in_the_order_in_which_they_were_asked_for(server: Server) {
        let client = server.admin().await;
        let acts: Vec<String> = (0..100).map(|n| put(&format!("/{n}.txt"), &"x\n{".repeat(n))).collect();
        let written = batch(&client, &acts).await;
        let mut files: Vec<Value> = (0..100).rev().map(|n| json!({"id": written[n]["id"], "hash": written[n]["hash"]})).collect();
        files.push(json!({"path": "/7.txt"}));
        let answer = ask(&client, json!(files)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-holdfast-batch")));
        let records = unpack(&answer.bytes);
        assert_eq!(records.len(), 101);
        for ((header, content), n) in records.iter().zip((0..100).rev().chain([7])) {
            assert_eq!(content, "x\n{".repeat(n).as_bytes());
            for field in ["id", "hash", "mtime_ns", "size"] {
                assert_eq!(header[field], written[n][field], "{field} of {n}");
            }
            assert_eq!(header["status"], 200);
        }
    }

    async fn what_cannot_be_had_says_so_in_its_place(server: Server) {
        let client = server.admin().await;
        let large = "x".repeat(1024 * 1024 + 1);
        client.put("/api/drives/home/files/F/large.txt?parents=true", large.clone()).await.expect(201);
        client.put("/api/drives/home/files/most.txt", large[1..].to_owned()).await.expect(201);
        let gone = client.put("/api/drives/home/files/gone.txt", "gone").await.expect(201)["id"].clone();
        client.delete("/api/drives/home/files/gone.txt").await.expect(204);
        let (_, other) = server.member().await;
        let theirs = other.put("/api/drives/home/files/theirs.txt", "theirs").await.expect(201);
        let answer = ask(&client, json!([
            {"path": "/F/large.txt"},
            {"path": "/F"},
            {"path": "/nothing.txt"},
            {"id": gone},
            {"id": theirs["id"], "hash": theirs["hash"]},
            {"path": "/../x"},
            {"path": "/most.txt", "hash": hash("another")},
            {},
            {"path": "/most.txt"},
        ])).await;
        let records = unpack(&answer.bytes);
        let statuses: Vec<u64> = records.iter().map(|(header, _)| header["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [413, 409, 404, 404, 404, 422, 412, 422, 200]);
        assert_eq!(records[6].0["problem"]["actual_hash"], hash(&large[1..]));
        assert_eq!(records[8].1, large.as_bytes()[1..]);
    }

    async fn an_answer_has_a_limit_and_says_what_did_not_fit(server: Server) {
        let client = server.admin().await;
        client.put("/api/drives/home/files/most.txt", "x".repeat(1024 * 1024)).await.expect(201);
        let records = unpack(&ask(&client, json!(vec![json!({"path": "/most.txt"}); 66])).await.bytes);
        let fitted = records.iter().filter(|(header, _)| header["status"] == 200).count();
        assert_eq!((records.len(), fitted), (66, 64));
        assert_eq!(records[65].0["problem"]["type"], "urn:holdfast:problem:answer-full");
        ask(&client, json!(vec![json!({"path": "/most.txt"}); 2001])).await.expect_problem_named(413, "too-large");
        assert!(ask(&client, json!([])).await.bytes.is_empty());
        client.post("/api/drives/home/contents", json!({})).await.expect_problem(422);
    }
}

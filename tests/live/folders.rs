//! A folder that is deleted because it was empty elsewhere takes nothing with it.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, both_engines};

use crate::mirror::listed;
use crate::records::{batch, record, statuses};

async fn paths(client: &Client) -> Vec<String> {
    listed(client, "home").await.into_keys().collect()
}

async fn folder(client: &Client, path: &str) -> Value {
    client.post("/api/drives/home/folders", json!({"path": path})).await.expect(201)
}

both_engines! {
    async fn a_folder_that_holds_anything_is_not_deleted_as_an_empty_one(server: Server) {
        let client = server.admin().await;
        folder(&client, "/A").await;
        folder(&client, "/A/B").await;
        client.delete("/api/drives/home/files/A?empty=true").await.expect_problem_named(409, "not-empty");
        client.put("/api/drives/home/files/A/B/b.txt", "b").await.expect(201);
        client.delete("/api/drives/home/files/A/B?empty=true").await.expect_problem_named(409, "not-empty");
        assert_eq!(paths(&client).await, ["/A", "/A/B", "/A/B/b.txt"]);
        client.delete("/api/drives/home/files/A/B/b.txt").await.expect(204);
        client.delete("/api/drives/home/files/A/B?empty=true").await.expect(204);
        client.delete("/api/drives/home/files/A?empty=true").await.expect(204);
        assert!(paths(&client).await.is_empty(), "what is in the trash keeps no folder");
    }

    async fn a_file_that_has_taken_a_folders_name_is_not_deleted_as_an_empty_folder(server: Server) {
        let client = server.admin().await;
        folder(&client, "/A").await;
        client.delete("/api/drives/home/files/A").await.expect(204);
        let hash = client.put("/api/drives/home/files/A", "a file now").await.expect(201)["hash"].clone();
        client.delete("/api/drives/home/files/A?empty=true").await.expect_problem_named(409, "not-a-folder");
        let told = batch(&client, &[record(&json!({"act": "delete", "path": "/A", "empty": true}), "")]).await;
        assert_eq!(statuses(&told), [409]);
        assert_eq!(paths(&client).await, ["/A"]);
        let named = client.request(Method::DELETE, "/api/drives/home/files/A?empty=true");
        client.send(named.header("if-match", format!("\"{}\"", hash.as_str().unwrap()))).await.expect(204);
        assert!(paths(&client).await.is_empty());
    }

    async fn without_being_asked_for_a_folder_goes_with_all_that_is_in_it(server: Server) {
        let client = server.admin().await;
        for query in ["", "?empty=false"] {
            client.put("/api/drives/home/files/A/a.txt?parents=true", "a").await.expect(201);
            client.delete(&format!("/api/drives/home/files/A{query}")).await.expect(204);
            assert!(paths(&client).await.is_empty());
        }
        client.delete("/api/drives/home/files/A?empty=perhaps").await.expect_problem(400);
    }
}

//! A login outlives its access token.

use support::{Engine, Server, block_on};

use crate::tool::{Tool, other_side};

async fn short_lived() -> Server {
    Server::builder(Engine::Sqlite).env("HOLDFAST_TOKENS_ACCESS_LIFETIME", "1").start().await
}

fn tokens(tool: &Tool) -> serde_json::Value {
    let account = std::fs::read(tool.state().join("account.json")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&account).unwrap()["tokens"].clone()
}

#[test]
fn a_login_is_renewed_by_itself_and_the_new_one_is_kept() {
    block_on(async {
        let server = short_lived().await;
        let tool = Tool::logged_in(&server).await;
        let before = tokens(&tool);
        for _ in 0..3 {
            tool.run(&["ls"]).await.ok();
        }
        assert_ne!(tokens(&tool)["refresh"], before["refresh"]);
    });
}

#[test]
fn many_commands_at_once_renew_one_login_without_ending_it() {
    block_on(async {
        let server = short_lived().await;
        let tool = Tool::logged_in(&server).await;
        for _ in 0..3 {
            let all = (0..8).map(|_| tool.run(&["ls"]));
            for done in futures_util::future::join_all(all).await {
                done.ok();
            }
        }
    });
}

#[test]
fn a_token_that_the_server_no_longer_takes_is_renewed_though_the_clock_says_it_holds() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let tool = Tool::logged_in(&server).await;
        let path = tool.state().join("account.json");
        let mut account: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        account["tokens"]["access"] = "not.a.token".into();
        std::fs::write(&path, account.to_string()).unwrap();
        // With a body, which has to be sent a second time.
        tool.write("a.bin", vec![1; 3_000_000]);
        tool.run(&["put", "a.bin"]).await.ok();
        assert_ne!(tokens(&tool)["access"], "not.a.token");
    });
}

#[test]
fn a_login_that_was_ended_elsewhere_is_told_as_ended() {
    block_on(async {
        let server = short_lived().await;
        let tool = Tool::logged_in(&server).await;
        let client = other_side(&server).await;
        let sessions = client.get("/api/me/sessions").await.expect(200);
        for session in
            sessions["items"].as_array().unwrap().iter().filter(|session| session["current"] == false)
        {
            let id = session["id"].as_str().unwrap();
            assert_eq!(client.delete(&format!("/api/me/sessions/{id}")).await.status, 204);
        }
        tool.run(&["ls"]).await.failed(5, &["your login has ended", "holdfast login"]);
    });
}

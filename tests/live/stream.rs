//! What happens is told while it happens.

use serde_json::{Value, json};
use support::{Client, both_engines, eventually};

use crate::told::Stream;

async fn drive_of(client: &Client) -> String {
    client.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned()
}

async fn write(client: &Client, path: &str, content: &str) {
    let answer = client.put(&format!("/api/drives/home/files{path}"), content.to_owned()).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

/// The path of the next line of the activity log that has one.
async fn next_path(stream: &mut Stream) -> (String, String) {
    loop {
        let (event, id, data) = stream.next().await.unwrap();
        assert_eq!(event, "activity");
        assert_eq!(data["seq"].to_string(), id.clone().unwrap());
        if let Some(path) = data["path"].as_str() {
            return (path.to_owned(), id.unwrap());
        }
    }
}

both_engines! {
    async fn a_change_by_one_client_reaches_anothers_stream(server: Server) {
        let (reader, writer) = (server.admin().await, server.admin().await);
        let drive = drive_of(&reader).await;
        let mut stream = Stream::open(&reader, "", &[]).await;
        assert_eq!(stream.kind(), "text/event-stream");
        let mut head = stream.head_beyond(&drive, -1).await;
        for n in 0..5 {
            write(&writer, "/a.txt", &n.to_string()).await;
            head = stream.head_beyond(&drive, head).await;
        }
        writer.delete("/api/drives/home/files/a.txt").await.expect(204);
        stream.head_beyond(&drive, head).await;
    }

    async fn events_are_told_as_lines_of_json_to_who_asks_for_them(server: Server) {
        let client = server.admin().await;
        let drive = drive_of(&client).await;
        let mut stream = Stream::open(&client, "?topics=drive,events", &[("accept", "application/x-ndjson")]).await;
        assert_eq!(stream.kind(), "application/x-ndjson");
        let first = stream.next_line().await.unwrap();
        assert_eq!((&first["event"], &first["data"]["drive"]), (&json!("drive"), &json!(drive)));
        write(&client, "/a.txt", "a").await;
        let (mut moved, mut told) = (false, false);
        while !(moved && told) {
            let line = stream.next_line().await.unwrap();
            moved |= line["event"] == "drive" && line["data"]["seq"].as_i64() > first["data"]["seq"].as_i64();
            told |= line["event"] == "activity" && line["data"]["path"] == "/a.txt";
        }
    }

    async fn nobody_hears_of_anothers_drive(server: Server) {
        let admin = server.admin().await;
        let (_, member) = server.member().await;
        let drive = drive_of(&member).await;
        let mut heads = Stream::open(&member, "?topics=drive", &[]).await;
        let mut log = Stream::open(&member, "?topics=events&cursor=0", &[]).await;
        let head = heads.head_beyond(&drive, -1).await;
        for n in 0..5 {
            write(&admin, "/secret.txt", &n.to_string()).await;
        }
        write(&member, "/mine.txt", "mine").await;
        heads.head_beyond(&drive, head).await;
        assert_eq!(next_path(&mut log).await.0, "/mine.txt");
    }

    async fn the_activity_log_goes_on_where_the_client_was_cut_off(server: Server) {
        let client = server.admin().await;
        let mut stream = Stream::open(&client, "?topics=events", &[]).await;
        write(&client, "/1.txt", "1").await;
        let (path, id) = next_path(&mut stream).await;
        assert_eq!(path, "/1.txt", "what was before is not told unasked");
        drop(stream);
        for n in 2..5 {
            write(&client, &format!("/{n}.txt"), "x").await;
        }
        // The header is of the client that was cut off, the address the one it first came by.
        let mut stream = Stream::open(&client, "?topics=events&cursor=0", &[("last-event-id", &id)]).await;
        for n in 2..5 {
            assert_eq!(next_path(&mut stream).await.0, format!("/{n}.txt"));
        }
        write(&client, "/5.txt", "x").await;
        assert_eq!(next_path(&mut stream).await.0, "/5.txt");
        let all = client.get("/api/events?limit=1000").await.expect(200);
        let mut from_the_beginning = Stream::open(&client, "?topics=events&cursor=0", &[]).await;
        for line in all["items"].as_array().unwrap() {
            let (_, _, told) = from_the_beginning.next().await.unwrap();
            assert_eq!(&told, line, "the same as in a listing");
        }
    }

    async fn a_login_that_ends_takes_its_streams_along(server: Server) {
        let client = server.admin().await;
        let stream = Stream::open(&client, "", &[]).await;
        client.post("/api/auth/logout", Value::Null).await.expect(204);
        stream.until_it_ends().await;
        let admin = server.admin().await;
        let (name, member) = server.member().await;
        let stream = Stream::open(&member, "?topics=drive,events", &[]).await;
        let users = admin.get("/api/users").await.expect(200);
        let user = users["items"].as_array().unwrap().iter().find(|user| user["username"] == name.as_str()).unwrap();
        admin.patch(&format!("/api/users/{}", user["id"].as_str().unwrap()), json!({"disabled": true})).await.expect(200);
        stream.until_it_ends().await;
    }

    async fn a_token_that_expires_ends_its_stream(builder: Builder) {
        let server = builder.env("HOLDFAST_TOKENS_ACCESS_LIFETIME", "2").start().await;
        Stream::open(&server.admin().await, "", &[]).await.until_it_ends().await;
    }

    async fn something_comes_although_nothing_happens(server: Server) {
        let client = server.admin().await;
        let mut stream = Stream::open(&client, "", &[]).await;
        stream.comment().await;
        let drive = drive_of(&client).await;
        write(&client, "/a.txt", "a").await;
        stream.head_beyond(&drive, 0).await;
    }

    async fn an_account_has_so_many_streams_and_no_more(server: Server) {
        let client = server.admin().await;
        let mut streams = Vec::new();
        for _ in 0..32 {
            streams.push(Stream::open(&client, "", &[]).await);
        }
        let refused = client.get("/api/events/stream").await;
        assert!(refused.header("retry-after").is_some());
        refused.expect_problem_named(429, "too-many-streams");
        let (_, member) = server.member().await;
        Stream::open(&member, "", &[]).await;
        streams.pop();
        eventually("the place to be free again", || async {
            let request = client.request(reqwest::Method::GET, "/api/events/stream");
            (request.send().await.unwrap().status() == 200).then_some(())
        })
        .await;
    }

    async fn open_streams_do_not_hold_up_the_end(builder: Builder) {
        let mut server = builder.env("HOLDFAST_SHUTDOWN_GRACE", "60").start().await;
        let client = server.admin().await;
        let mut stream = Stream::open(&client, "?topics=drive,events", &[]).await;
        stream.next().await.unwrap();
        let (status, ()) = tokio::join!(server.stop(), stream.until_it_ends());
        assert!(status.success());
        assert!(!server.log().contains("cut off"), "{}", server.log());
    }

    async fn a_stream_of_what_is_not_told_is_refused(server: Server) {
        let client = server.admin().await;
        client.get("/api/events/stream?topics=weather").await.expect_problem(422);
        client.get("/api/events/stream?topics=").await.expect_problem(422);
        client.get("/api/events/stream?topics=events&cursor=x").await.expect_problem(400);
        let request = client.request(reqwest::Method::GET, "/api/events/stream?topics=events");
        client.send(request.header("last-event-id", "x")).await.expect_problem(400);
        server.client().get("/api/events/stream").await.expect_problem(401);
    }
}

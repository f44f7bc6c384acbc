//! Parts of a content.

use reqwest::Method;
use support::{Answer, both_engines};

use crate::home::{Home, file, tag, version_content};

async fn range(home: &Home, path: &str, range: &str) -> Answer {
    home.send_with(Method::GET, path, "", &[("range", range)]).await
}

both_engines! {
    async fn one_range_is_sent_as_such(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        for (asked, body, told) in [
            ("bytes=0-0", "0", "bytes 0-0/10"),
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=7-100", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=-100", "0123456789", "bytes 0-9/10"),
        ] {
            let answer = range(&home, "/a.txt", asked).await;
            assert_eq!((answer.status, answer.text().as_str()), (206, body), "{asked}");
            assert_eq!(answer.header("content-range"), Some(told));
            assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(answer.header("etag"), Some(tag("0123456789").as_str()), "the tag is the whole content's");
        }
    }

    async fn a_range_outside_is_416_and_tells_the_size(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789"), ("/empty", "")]).await;
        for (path, asked, told) in [
            ("/a.txt", "bytes=10-", "bytes */10"),
            ("/a.txt", "bytes=10-12", "bytes */10"),
            ("/a.txt", "bytes=-0", "bytes */10"),
            ("/a.txt", "bytes=99999999999999999999-", "bytes */10"),
            ("/empty", "bytes=0-", "bytes */0"),
            ("/empty", "bytes=-1", "bytes */0"),
        ] {
            let answer = range(&home, path, asked).await;
            assert_eq!(answer.header("content-range"), Some(told), "{asked}");
            answer.expect_problem(416);
        }
    }

    async fn what_is_no_range_or_several_is_answered_with_the_whole(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        for asked in ["bytes=0-1,3-4", "bytes=4-2", "bytes=a-b", "bytes=", "lines=1-2", "nonsense"] {
            let answer = range(&home, "/a.txt", asked).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"), "{asked}");
        }
        let headed = home.send_with(Method::HEAD, "/a.txt", "", &[("range", "bytes=0-1")]).await;
        assert_eq!((headed.status, headed.header("content-length")), (200, Some("10")));
    }

    async fn a_range_that_is_meant_for_another_content_gets_the_whole_of_this_one(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        let ask = |if_range: String| {
            let headers = [("range", "bytes=0-1".to_owned()), ("if-range", if_range)];
            let request = headers.into_iter().fold(home.client.request(Method::GET, &file("/a.txt")), |request, (name, value)| {
                request.header(name, value)
            });
            home.client.send(request)
        };
        let answer = ask(tag("0123456789")).await;
        assert_eq!((answer.status, answer.text().as_str()), (206, "01"));
        let date = home.client.get(&file("/a.txt")).await.header("last-modified").unwrap().to_owned();
        for other in [tag("old"), format!("W/{}", tag("0123456789")), date] {
            let answer = ask(other.clone()).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"), "{other}");
        }
    }

    async fn an_interrupted_download_goes_on_where_it_ended(server: Server) {
        let home = Home::of(&server).await;
        let content = support::random_hex(300_000);
        home.write("/large.bin", &content).await;
        let mut got = String::new();
        while got.len() < content.len() {
            let asked = format!("bytes={}-{}", got.len(), got.len() + 99_999);
            let answer = home.send_with(Method::GET, "/large.bin", "", &[("range", &asked), ("if-match", &tag(&content))]).await;
            assert_eq!(answer.status, 206);
            got.push_str(&answer.text());
        }
        assert!(got == content, "the parts are not the whole");
    }

    async fn an_older_version_has_ranges_too(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        let now = home.write("/a.txt", "new").await;
        let old = &home.versions(&now["id"]).await[1];
        let request = home.client.request(Method::GET, &version_content(old)).header("range", "bytes=-2");
        let answer = home.client.send(request).await;
        assert_eq!((answer.status, answer.text().as_str()), (206, "89"));
        assert_eq!(answer.header("content-range"), Some("bytes 8-9/10"));
    }
}

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

    async fn several_ranges_are_sent_as_parts_each_with_its_place(server: Server) {
        let content: String = (0..500).map(|n| format!("{n:04}")).collect();
        let home = Home::with(&server, &[("/a.txt", &content)]).await;
        let rest = file("/a.txt");
        for path in [rest.as_str(), "/dav/home/a.txt"] {
            let asked = home.client.request(Method::GET, path).header("range", "bytes=1000-1003, 0-3,-4");
            let answer = home.client.send(asked.header("if-range", tag(&content))).await;
            assert_eq!(answer.status, 206, "{path}");
            assert_eq!(answer.header("content-length"), Some(answer.bytes.len().to_string().as_str()));
            assert_eq!(answer.header("content-range"), None);
            assert_eq!(answer.header("etag"), Some(tag(&content).as_str()));
            let kind = answer.header("content-type").unwrap().to_owned();
            let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
            let text = answer.text();
            let parts: Vec<&str> = text.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap().split(&format!("--{boundary}\r\n")).collect();
            let told = |from: usize, to: usize| format!("Content-Type: text/plain\r\nContent-Range: bytes {from}-{to}/2000\r\n\r\n{}", &content[from..=to]);
            assert_eq!(parts, ["", &(told(0, 3) + "\r\n"), &(told(1000, 1003) + "\r\n"), &told(1996, 1999)]);
        }
        let one = range(&home, "/a.txt", "bytes=0-3,2-9,9000-").await;
        assert_eq!((one.status, one.header("content-range")), (206, Some("bytes 0-9/2000")));
        assert_eq!(range(&home, "/a.txt", "bytes=9000-,8000-").await.status, 416);
        let many: Vec<String> = (0..18).map(|n| format!("{0}-{0}", n * 110)).collect();
        assert!(range(&home, "/a.txt", &format!("bytes={}", many.join(","))).await.status == 206, "they are close to each other");
    }

    async fn a_part_of_a_content_cannot_be_written(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        let rest = file("/a.txt");
        for path in [rest.as_str(), "/dav/home/a.txt"] {
            for (name, value) in [("content-range", "bytes 0-1/10"), ("x-update-range", "bytes=0-1"), ("x-update-range", "append")] {
                let put = home.client.request(Method::PUT, path).header(name, value).body("xx");
                assert_eq!(home.client.send(put).await.status, 400, "{path} {name}");
                let patch = home.client.request(Method::PATCH, path).header(name, value).body("xx");
                // A file is patched by a delta alone, and over the network drive not at all.
                let refused = if path == rest { 415 } else { 405 };
                assert_eq!(home.client.send(patch).await.status, refused, "{path} {name}");
            }
        }
        assert_eq!(home.client.get(&rest).await.text(), "0123456789");
    }

    async fn what_is_no_range_is_answered_with_the_whole(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0123456789")]).await;
        for asked in ["bytes=4-2", "bytes=0-1,4-2", "bytes=a-b", "bytes=", "lines=1-2", "nonsense"] {
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

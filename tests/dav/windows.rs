//! What Windows' own client sends when somebody mounts a drive in Explorer and saves a file: the same methods and headers
//! in the same order.

use std::time::{Duration, SystemTime};

use support::{Answer, Client, both_engines, home_of, plain};

use crate::mount::{dav, mounted};

const MOUNTING: &str = "DavClnt";
const WORKING: &str = "Microsoft-WebDAV-MiniRedir/10.0.19045";
const LOCK: &str = r#"<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>HOME\ada</D:href></D:owner></D:lockinfo>"#;
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

async fn says(client: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let always = [("user-agent", WORKING), ("translate", "f"), ("pragma", "no-cache")];
    dav(client, method, path, &[&always[..], headers].concat(), body).await
}

fn times(attributes: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop><Z:Win32CreationTime>{DATE}</Z:Win32CreationTime><Z:Win32LastAccessTime>{DATE}</Z:Win32LastAccessTime><Z:Win32LastModifiedTime>{DATE}</Z:Win32LastModifiedTime><Z:Win32FileAttributes>{attributes}</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>"#
    )
}

both_engines! {
    async fn windows_mounts_a_drive_and_saves_a_file(server: Server) {
        let ada = mounted(&server).await;
        let root = home_of(&server, &ada).await;

        // Without a credential first: a refusal that offers Basic.
        for (agent, method, path) in [(MOUNTING, "OPTIONS", "/"), (WORKING, "OPTIONS", "/dav/home"), (WORKING, "PROPFIND", "/dav/home")] {
            let refused = dav(&ada.anonymous(), method, path, &[("user-agent", agent), ("translate", "f")], "").await;
            assert_eq!(refused.status, 401, "{method} {path}");
            assert!(refused.headers.get_all("www-authenticate").iter().any(|offer| offer.as_bytes().starts_with(b"Basic")));
        }
        for path in ["/", "/dav", "/dav/home", "/anywhere"] {
            let options = dav(&ada, "OPTIONS", path, &[("user-agent", MOUNTING), ("translate", "f")], "").await;
            assert_eq!((options.status, options.header("ms-author-via")), (200, Some("DAV")), "{path}");
            let classes = options.header("dav").unwrap();
            assert!(classes.contains("1") && classes.contains("2"), "{classes}");
        }

        // Down from the root of the server, one folder after the other.
        for (path, next) in [("/", "<D:href>/dav/</D:href>"), ("/dav", "<D:href>/dav/home/</D:href>")] {
            let found = says(&ada, "PROPFIND", path, &[("depth", "0"), ("content-length", "0")], "").await;
            assert_eq!(found.status, 207, "{path}: {}", found.text());
            assert!(found.text().contains("<D:collection/>") && !found.text().contains(next), "{}", found.text());
            let listed = says(&ada, "PROPFIND", path, &[("depth", "1"), ("content-length", "0")], "").await;
            assert!(listed.text().contains(next), "{}", listed.text());
        }
        assert_eq!(says(&ada, "PROPFIND", "/dav/home", &[("depth", "0")], "").await.status, 207);
        assert_eq!(says(&ada, "PROPFIND", "/dav/home/New%20Text%20Document.txt", &[("depth", "0")], "").await.status, 404);
        assert_eq!(says(&ada, "PROPFIND", "/dav/home/desktop.ini", &[("depth", "0")], "").await.status, 404);

        // A new file: an empty one, its lock, its times, then the content under the lock.
        let path = "/dav/home/New%20Text%20Document.txt";
        assert_eq!(says(&ada, "PUT", path, &[("content-length", "0")], "").await.status, 201);
        let locked = says(&ada, "LOCK", path, &[("timeout", "Second-3600"), ("depth", "0"), ("content-type", "text/xml; charset=\"utf-8\"")], LOCK).await;
        assert_eq!(locked.status, 200, "{}", locked.text());
        assert!(locked.text().contains("<D:timeout>Second-3600</D:timeout>"), "{}", locked.text());
        let token = locked.header("lock-token").unwrap().to_owned();
        let holding = format!("({token})");
        let stamped = says(&ada, "PROPPATCH", path, &[("if", &holding), ("content-type", "text/xml; charset=\"utf-8\"")], &times("00000020")).await;
        assert!(stamped.status == 207 && !stamped.text().contains("HTTP/1.1 4"), "{}", stamped.text());
        assert_eq!(says(&ada, "HEAD", path, &[], "").await.header("last-modified"), Some(DATE));
        assert_eq!(says(&ada, "PUT", path, &[], "not mine").await.status, 423);
        assert_eq!(says(&ada, "PUT", path, &[("if", &holding)], "saved from Notepad").await.status, 204);
        let stamped = says(&ada, "PROPPATCH", path, &[("if", &holding)], &times("00000020")).await;
        assert!(stamped.status == 207 && !stamped.text().contains("HTTP/1.1 4"), "{}", stamped.text());
        assert_eq!(says(&ada, "UNLOCK", path, &[("lock-token", &token)], "").await.status, 204);
        let file = root.join("New Text Document.txt");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "saved from Notepad");
        let written = std::fs::metadata(&file).unwrap().modified().unwrap();
        assert_eq!(written, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));

        // A lock where nothing is yet makes the file.
        let locked = says(&ada, "LOCK", "/dav/home/report.docx", &[("timeout", "Second-3600"), ("depth", "0")], LOCK).await;
        assert_eq!(locked.status, 201, "{}", locked.text());
        let token = locked.header("lock-token").unwrap().to_owned();
        let renewed = says(&ada, "LOCK", "/dav/home/report.docx", &[("timeout", "Second-3600"), ("if", &format!("({token})"))], "").await;
        assert_eq!(renewed.status, 200, "{}", renewed.text());
        assert_eq!(says(&ada, "UNLOCK", "/dav/home/report.docx", &[("lock-token", &token)], "").await.status, 204);

        // Renamed, moved into a folder, listed, deleted.
        let to = format!("{}/dav/home/n%c3%b6tes%20%231.txt", server.url());
        assert_eq!(says(&ada, "MOVE", path, &[("destination", &to), ("overwrite", "F")], "").await.status, 201);
        let taken = format!("{}/dav/home/report.docx", server.url());
        assert_eq!(says(&ada, "MOVE", "/dav/home/n%c3%b6tes%20%231.txt", &[("destination", &taken), ("overwrite", "F")], "").await.status, 412);
        assert_eq!(says(&ada, "MKCOL", "/dav/home/New%20folder", &[("content-length", "0")], "").await.status, 201);
        let within = format!("{}/dav/home/New%20folder/n%c3%b6tes%20%231.txt", server.url());
        assert_eq!(says(&ada, "MOVE", "/dav/home/n%c3%b6tes%20%231.txt", &[("destination", &within), ("overwrite", "F")], "").await.status, 201);
        let listed = says(&ada, "PROPFIND", "/dav/home/New%20folder", &[("depth", "1")], "").await.text();
        assert!(listed.contains("/dav/home/New%20folder/n%C3%B6tes%20%231.txt") && listed.contains(">00000020</Win32FileAttributes>"), "{listed}");
        assert_eq!(says(&ada, "DELETE", "/dav/home/report.docx", &[], "").await.status, 204);
        let there: Vec<String> = plain(&root).into_keys().collect();
        assert_eq!(there, ["/New folder", "/New folder/n\u{f6}tes #1.txt"]);
    }
}

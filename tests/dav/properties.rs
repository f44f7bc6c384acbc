//! PROPFIND, PROPPATCH and extended MKCOL.

use support::{Client, both_engines};

use crate::mount::{dav, mounted};

const ASK: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop><D:getetag/><x:color/><D:getcontentlength/></D:prop></D:propfind>"#;

fn set(name: &str, value: &str) -> String {
    format!(
        r#"<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><x:{name}>{value}</x:{name}></D:prop></D:set></D:propertyupdate>"#
    )
}

async fn color(client: &Client, path: &str) -> Option<String> {
    let found = dav(client, "PROPFIND", path, &[("depth", "0")], ASK).await;
    assert_eq!(found.status, 207, "{}", found.text());
    let text = found.text();
    let value = text.split_once("<color xmlns=\"urn:x\">")?.1.split_once("</color>")?.0.to_owned();
    Some(value)
}

async fn paint(client: &Client, path: &str, value: &str) {
    let done = dav(client, "PROPPATCH", path, &[], &set("color", value)).await;
    assert!(done.status == 207 && done.text().contains("200 OK"), "{}", done.text());
}

both_engines! {
    async fn a_property_that_is_not_there_is_told_as_404_unless_a_short_answer_is_preferred(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        let found = dav(&ada, "PROPFIND", "/dav/home/a.txt", &[("depth", "0")], ASK).await.text();
        let (there, missing) = found.split_once("HTTP/1.1 200 OK").unwrap();
        assert!(there.contains("<D:getcontentlength>1</D:getcontentlength>"), "{found}");
        assert!(missing.contains("<color xmlns=\"urn:x\"/>") && missing.contains("HTTP/1.1 404 Not Found"), "{found}");
        let short = dav(&ada, "PROPFIND", "/dav/home/a.txt", &[("depth", "0"), ("prefer", "return=minimal")], ASK).await;
        assert_eq!(short.header("preference-applied"), Some("return=minimal"));
        assert!(!short.text().contains("404"), "{}", short.text());
    }

    async fn a_property_that_was_set_survives_a_restart(mut_server: Server) {
        let mut server = mut_server;
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        paint(&ada, "/dav/home/a.txt", "<deep xmlns=\"urn:y\" a=\"1\">gr\u{fc}n &amp; blau</deep>").await;
        server.restart().await;
        let value = color(&ada.at(server.url()), "/dav/home/a.txt").await.unwrap();
        assert!(value.contains("gr\u{fc}n &amp; blau") && value.contains("urn:y"), "{value}");
    }

    async fn properties_go_where_their_file_goes(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        dav(&ada, "PUT", "/dav/home/f/a.txt", &[], "a").await;
        paint(&ada, "/dav/home/f/a.txt", "red").await;
        paint(&ada, "/dav/home/f", "blue").await;
        dav(&ada, "COPY", "/dav/home/f", &[("destination", "/dav/home/copy")], "").await;
        dav(&ada, "MOVE", "/dav/home/f", &[("destination", "/dav/home/moved")], "").await;
        for folder in ["copy", "moved"] {
            assert_eq!(color(&ada, &format!("/dav/home/{folder}")).await.as_deref(), Some("blue"));
            assert_eq!(color(&ada, &format!("/dav/home/{folder}/a.txt")).await.as_deref(), Some("red"));
        }
        paint(&ada, "/dav/home/copy/a.txt", "green").await;
        assert_eq!(color(&ada, "/dav/home/moved/a.txt").await.as_deref(), Some("red"));
    }

    async fn overwriting_keeps_properties_and_a_new_file_of_an_old_name_has_none(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        paint(&ada, "/dav/home/a.txt", "red").await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "b").await;
        assert_eq!(color(&ada, "/dav/home/a.txt").await.as_deref(), Some("red"));
        dav(&ada, "DELETE", "/dav/home/a.txt", &[], "").await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "c").await;
        assert_eq!(color(&ada, "/dav/home/a.txt").await, None);
    }

    async fn what_comes_back_from_the_trash_has_its_properties(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        paint(&ada, "/dav/home/a.txt", "red").await;
        for to in [None, Some("b.txt")] {
            let path = if to.is_some() { "/dav/home/b.txt" } else { "/dav/home/a.txt" };
            dav(&ada, "DELETE", "/dav/home/a.txt", &[], "").await;
            let trash = ada.get("/api/drives/home/trash").await.expect(200);
            let id = trash["items"][0]["id"].as_str().unwrap();
            let body = to.map_or(serde_json::json!({}), |to| serde_json::json!({"to": to}));
            let restored = ada.post(&format!("/api/drives/home/trash/{id}/restore"), body).await;
            assert!(matches!(restored.status, 200 | 201), "{}", restored.text());
            assert_eq!(color(&ada, path).await.as_deref(), Some("red"), "{path}");
        }
    }

    async fn a_copy_over_a_file_brings_its_own_properties(server: Server) {
        let ada = mounted(&server).await;
        for (name, value) in [("a", "red"), ("b", "blue")] {
            dav(&ada, "PUT", &format!("/dav/home/{name}"), &[], name).await;
            paint(&ada, &format!("/dav/home/{name}"), value).await;
        }
        assert_eq!(dav(&ada, "COPY", "/dav/home/a", &[("destination", "/dav/home/b")], "").await.status, 204);
        assert_eq!(color(&ada, "/dav/home/b").await.as_deref(), Some("red"));
    }

    async fn either_all_properties_are_set_or_none(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a.txt", &[], "a").await;
        let body = r#"<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><x:color>red</x:color><D:getetag>"1"</D:getetag></D:prop></D:set></D:propertyupdate>"#;
        let done = dav(&ada, "PROPPATCH", "/dav/home/a.txt", &[], body).await;
        assert_eq!(done.status, 207);
        assert!(done.text().contains("403 Forbidden") && done.text().contains("424 Failed Dependency"), "{}", done.text());
        assert!(done.text().contains("cannot-modify-protected-property"));
        assert_eq!(color(&ada, "/dav/home/a.txt").await, None);
        let remove = set("color", "red").replace("<D:set>", "<D:remove>").replace("</D:set>", "</D:remove>");
        assert!(dav(&ada, "PROPPATCH", "/dav/home/a.txt", &[], &remove).await.text().contains("200 OK"));
    }

    async fn a_folder_is_made_with_its_properties_or_not_at_all(server: Server) {
        let ada = mounted(&server).await;
        let body = |extra: &str| format!(
            r#"<D:mkcol xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype><x:color>red</x:color>{extra}</D:prop></D:set></D:mkcol>"#
        );
        let xml = [("content-type", "application/xml")];
        let refused = dav(&ada, "MKCOL", "/dav/home/f", &xml, &body("<D:getetag>1</D:getetag>")).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(dav(&ada, "PROPFIND", "/dav/home/f", &[("depth", "0")], "").await.status, 404);
        assert_eq!(dav(&ada, "MKCOL", "/dav/home/f", &xml, &body("")).await.status, 201);
        assert_eq!(color(&ada, "/dav/home/f").await.as_deref(), Some("red"));
        assert_eq!(dav(&ada, "MKCOL", "/dav/home/g", &[("content-type", "text/plain")], "hello").await.status, 415);
    }

    async fn the_quota_is_told_to_whoever_asks_and_to_nobody_else(server: Server) {
        let ada = mounted(&server).await;
        let ask = r#"<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>"#;
        let text = dav(&ada, "PROPFIND", "/dav/home/", &[("depth", "0")], ask).await.text();
        let free: u64 = text.split("quota-available-bytes>").nth(1).unwrap().trim_end_matches("</D:").parse().unwrap();
        assert!(free > 0, "{text}");
        assert!(!dav(&ada, "PROPFIND", "/dav/home/", &[("depth", "0")], "").await.text().contains("quota"));
    }

    async fn a_listing_without_end_is_refused_in_the_words_of_the_rfc(server: Server) {
        let ada = mounted(&server).await;
        for headers in [&[][..], &[("depth", "infinity")][..]] {
            let refused = dav(&ada, "PROPFIND", "/dav/home/", headers, "").await;
            assert_eq!(refused.status, 403);
            assert!(refused.text().contains("propfind-finite-depth"), "{}", refused.text());
        }
    }

    async fn every_member_is_listed_once_and_a_folder_ends_with_a_slash(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/f", &[], "").await;
        for name in ["a", "b%20c", "%C3%A4", "100%25", "x%23y", "q%3F"] {
            dav(&ada, "PUT", &format!("/dav/home/f/{name}"), &[], name).await;
        }
        dav(&ada, "MKCOL", "/dav/home/f/sub", &[], "").await;
        let text = dav(&ada, "PROPFIND", "/dav/home/f", &[("depth", "1")], "").await.text();
        let hrefs: Vec<&str> = text.split("<D:response><D:href>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
        let names = ["/dav/home/f/", "/dav/home/f/100%25", "/dav/home/f/a", "/dav/home/f/b%20c", "/dav/home/f/q%3F", "/dav/home/f/sub/", "/dav/home/f/x%23y", "/dav/home/f/%C3%A4"];
        assert_eq!(hrefs, names);
    }
}

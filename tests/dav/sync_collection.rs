//! sync-collection (RFC 6578): who applies the answers has the same tree as who lists everything.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use support::{Client, both_engines};

use crate::mount::{dav, mounted, propfind, value};

const LOOK: &str =
    r#"<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getetag/></D:prop></D:propfind>"#;

/// Paths of files with their tags, and of folders with nothing.
type Tree = BTreeMap<String, Option<String>>;

fn report(token: &str, level: &str, limit: Option<usize>) -> String {
    let limit = limit.map_or(String::new(), |n| format!("<D:limit><D:nresults>{n}</D:nresults></D:limit>"));
    format!(
        r#"<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>{limit}<D:prop><D:resourcetype/><D:getetag/></D:prop></D:sync-collection>"#
    )
}

/// The responses of an answer: where, and what is there (`Err`: nothing any more).
fn responses(xml: &str) -> Vec<(String, Result<Option<String>, ()>)> {
    let pieces = xml.split("<D:response>").skip(1);
    let read = pieces.map(|piece| {
        let href = value(piece, "D:href").unwrap().trim_end_matches('/').to_owned();
        let gone = piece.contains("<D:status>HTTP/1.1 404") && !piece.contains("<D:propstat>");
        (href, if gone { Err(()) } else { Ok(value(piece, "D:getetag")) })
    });
    read.collect()
}

/// A client that keeps a tree by what it is told.
struct Keeper {
    at: String,
    level: &'static str,
    limit: Option<usize>,
    token: String,
    tree: Tree,
    started_anew: usize,
}

impl Keeper {
    fn new(at: &str, level: &'static str, limit: Option<usize>) -> Self {
        Self { at: at.to_owned(), level, limit, token: String::new(), tree: Tree::new(), started_anew: 0 }
    }

    fn forget(&mut self) {
        self.token.clear();
        self.tree.clear();
    }

    async fn sync(&mut self, client: &Client) {
        loop {
            let body = report(&self.token, self.level, self.limit);
            let answer = dav(client, "REPORT", &self.at, &[("depth", "0")], &body).await;
            let text = answer.text();
            match answer.status {
                403 if text.contains("<D:valid-sync-token/>") => {
                    self.started_anew += 1;
                    self.forget();
                    continue;
                }
                404 | 403 => return self.forget(),
                507 if text.contains("<D:number-of-matches-within-limits/>") => {
                    // One change makes more than was asked for.
                    self.limit = self.limit.map(|limit| limit * 2);
                    continue;
                }
                other => assert_eq!(other, 207, "{text}"),
            }
            let truncated = text.contains("HTTP/1.1 507");
            let told: Vec<_> = responses(&text).into_iter().filter(|(href, _)| *href != self.at).collect();
            assert!(self.limit.is_none_or(|limit| told.len() <= limit), "{text}");
            let mut seen: Vec<&String> = told.iter().map(|(href, _)| href).collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), told.len(), "something is told twice: {text}");
            for (href, _) in told.iter().filter(|(_, now)| now.is_err()) {
                self.remove(href);
            }
            for (href, now) in told {
                if let Ok(tag) = now {
                    if tag.is_some() || self.tree.get(&href).is_some_and(Option::is_some) {
                        self.remove(&href);
                    }
                    self.tree.insert(href, tag);
                }
            }
            self.token = value(&text, "D:sync-token").unwrap();
            if !truncated {
                return;
            }
        }
    }

    fn remove(&mut self, path: &str) {
        let beneath = format!("{path}/");
        self.tree.retain(|known, _| known != path && !known.starts_with(&beneath));
    }
}

async fn walk(client: &Client, at: &str, deep: bool) -> Tree {
    let mut tree = Tree::new();
    let mut left = vec![at.to_owned()];
    while let Some(folder) = left.pop() {
        let listed = dav(client, "PROPFIND", &folder, &[("depth", "1")], LOOK).await;
        if listed.status == 404 {
            continue;
        }
        let listed = listed.text();
        if !listed.contains("<D:collection/>") {
            continue;
        }
        for (href, now) in responses(&listed) {
            if href == folder {
                continue;
            }
            let tag = now.unwrap();
            if tag.is_none() && deep {
                left.push(href.clone());
            }
            tree.insert(href, tag);
        }
    }
    tree
}

fn some_path(random: &mut StdRng) -> String {
    let depth = random.random_range(1..=3);
    let names: Vec<&str> = (0..depth).map(|_| ["a", "b", "c"][random.random_range(0..3)]).collect();
    format!("/dav/home/{}", names.join("/"))
}

async fn something_happens(client: &Client, random: &mut StdRng) -> String {
    let (path, other) = (some_path(random), some_path(random));
    let (method, to) = match random.random_range(0..12) {
        0..=2 => ("PUT", None),
        3..=4 => ("MKCOL", None),
        5 => ("DELETE", None),
        6..=9 => ("MOVE", Some(other)),
        10 => ("COPY", Some(other)),
        _ => {
            let trash = client.get("/api/drives/home/trash").await.expect(200);
            let items = trash["items"].as_array().unwrap();
            if items.is_empty() {
                return String::new();
            }
            let id = items[random.random_range(0..items.len())]["id"].as_str().unwrap().to_owned();
            let done =
                client.post(&format!("/api/drives/home/trash/{id}/restore"), serde_json::json!({})).await;
            return format!("restore {id}: {}", done.status);
        }
    };
    let headers: Vec<(&str, &str)> = to.iter().map(|to| ("destination", to.as_str())).collect();
    let body = if method == "PUT" { format!("{}", random.random_range(0..1000)) } else { String::new() };
    let done = dav(client, method, &path, &headers, &body).await;
    assert!(done.status < 500 || done.status == 502, "{method} {path}: {}", done.text());
    format!("{method} {path} {to:?}: {}", done.status)
}

async fn whatever_happens(ada: &Client, seed: u64) {
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut keepers = [
        Keeper::new("/dav/home", "infinite", None),
        Keeper::new("/dav/home", "infinite", Some(3)),
        Keeper::new("/dav/home", "1", None),
        Keeper::new("/dav/home/a", "infinite", None),
        Keeper::new("/dav/home/b", "1", Some(2)),
    ];
    let mut done = Vec::new();
    for round in 0..25 {
        for _ in 0..random.random_range(1..8) {
            done.push(something_happens(ada, &mut random).await);
        }
        for keeper in &mut keepers {
            if random.random_range(0..3) == 0 {
                continue;
            }
            keeper.sync(ada).await;
            let expected = walk(ada, &keeper.at, keeper.level == "infinite").await;
            assert_eq!(
                keeper.tree,
                expected,
                "seed {seed}, round {round}, {} {} {:?}\n{}",
                keeper.at,
                keeper.level,
                keeper.limit,
                done.join("\n")
            );
        }
        done.push("-- synced".to_owned());
    }
    assert!(
        keepers[..3].iter().all(|keeper| keeper.started_anew == 0),
        "the drive's own folder never needs a new start"
    );
}

both_engines! {
    async fn whatever_happens_a_client_that_follows_has_the_tree_of_one_that_lists(server: Server) {
        let ada = mounted(&server).await;
        // The fourth has met a file that a folder was moved over, with what had come into that folder before.
        let more = if std::env::var_os("HOLDFAST_LONG").is_some() { 60 } else { 1 };
        for seed in [1, 2, 3, 31_012_961_282_965_931].into_iter().chain((0..more).map(|_| rand::random())) {
            whatever_happens(&ada, seed).await;
        }
    }

    async fn what_came_into_a_folder_before_it_was_moved_is_told_after_the_folder(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/c", &[], "").await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a file").await;
        let mut keeper = Keeper::new("/dav/home", "infinite", None);
        keeper.sync(&ada).await;
        let token = keeper.token.clone();
        dav(&ada, "PUT", "/dav/home/c/b", &[], "b").await;
        assert_eq!(dav(&ada, "MOVE", "/dav/home/c", &[("destination", "/dav/home/a")], "").await.status, 204);
        let told = dav(&ada, "REPORT", "/dav/home/", &[], &report(&token, "infinite", None)).await.text();
        let told: Vec<_> = responses(&told).into_iter().map(|(href, now)| (href, now.is_ok())).collect();
        let at = |path: &str| told.iter().position(|(href, there)| href == path && *there);
        assert!(at("/dav/home/a").is_some() && at("/dav/home/a") < at("/dav/home/a/b"), "{told:?}");
        keeper.sync(&ada).await;
        assert_eq!(keeper.tree, walk(&ada, "/dav/home", true).await);
    }

    async fn a_folder_that_came_later_than_what_is_in_it_can_be_asked_in_parts(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "MKCOL", "/dav/home/c", &[], "").await;
        for name in ["x", "y", "z"] {
            dav(&ada, "PUT", &format!("/dav/home/c/{name}"), &[], name).await;
        }
        dav(&ada, "MOVE", "/dav/home/c", &[("destination", "/dav/home/b")], "").await;
        dav(&ada, "PUT", "/dav/home/b/later", &[], "later").await;
        let mut keeper = Keeper::new("/dav/home/b", "1", Some(2));
        keeper.sync(&ada).await;
        assert_eq!(keeper.tree, walk(&ada, "/dav/home/b", false).await);
        assert_eq!(keeper.started_anew, 0, "a token that it was just given is good");
    }

    async fn a_folder_names_its_token_and_its_reports(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let ask = r#"<D:propfind xmlns:D="DAV:"><D:prop><D:sync-token/><D:supported-report-set/></D:prop></D:propfind>"#;
        let folder = propfind(&ada, "/dav/home/", "0", ask).await;
        assert!(folder.contains("<D:report><D:sync-collection/></D:report>"), "{folder}");
        let token = value(&folder, "D:sync-token").unwrap();
        let file = propfind(&ada, "/dav/home/a", "0", ask).await;
        assert!(file.contains("<D:supported-report-set/>") && file.contains("<sync-token xmlns=\"DAV:\"/>"), "{file}");
        let nothing = dav(&ada, "REPORT", "/dav/home/", &[], &report(&token, "infinite", None)).await;
        assert_eq!((nothing.status, responses(&nothing.text()).len()), (207, 0), "{}", nothing.text());
        assert_eq!(value(&nothing.text(), "D:sync-token"), Some(token.clone()));
        dav(&ada, "PUT", "/dav/home/b", &[], "b").await;
        let one = dav(&ada, "REPORT", "/dav/home/", &[("depth", "0")], &report(&token, "infinite", None)).await.text();
        assert_eq!(responses(&one).into_iter().map(|(href, _)| href).collect::<Vec<_>>(), ["/dav/home/b"], "{one}");
        let options = dav(&ada, "OPTIONS", "/dav/home/", &[], "").await;
        assert!(options.header("allow").unwrap().contains("REPORT"));
        let everything = propfind(&ada, "/dav/home/", "0", "").await;
        assert!(!everything.contains("sync-token") && !everything.contains("report"), "{everything}");
    }

    async fn a_folder_that_is_moved_is_told_by_one_404_and_all_that_is_in_it_anew(server: Server) {
        let ada = mounted(&server).await;
        for folder in ["a", "a/f", "b"] {
            dav(&ada, "MKCOL", &format!("/dav/home/{folder}"), &[], "").await;
        }
        dav(&ada, "PUT", "/dav/home/a/f/x", &[], "x").await;
        let (mut all, mut a, mut b) = (Keeper::new("/dav/home", "infinite", None), Keeper::new("/dav/home/a", "infinite", None), Keeper::new("/dav/home/b", "infinite", None));
        for keeper in [&mut all, &mut a, &mut b] {
            keeper.sync(&ada).await;
        }
        assert_eq!(dav(&ada, "MOVE", "/dav/home/a/f", &[("destination", "/dav/home/b/g")], "").await.status, 201);
        let told = |keeper: &Keeper| (keeper.at.clone(), report(&keeper.token, "infinite", None));
        let mut all_told = Vec::new();
        for (at, body) in [told(&all), told(&a), told(&b)] {
            let mut found = responses(&dav(&ada, "REPORT", &at, &[], &body).await.text());
            found.sort();
            all_told.push(found.into_iter().map(|(href, now)| (href, now.is_ok())).collect::<Vec<_>>());
        }
        let (gone, came) = (("/dav/home/a/f".to_owned(), false), [("/dav/home/b/g".to_owned(), true), ("/dav/home/b/g/x".to_owned(), true)]);
        assert_eq!(all_told, [[vec![gone.clone()], came.to_vec()].concat(), vec![gone], came.to_vec()]);
        // A client cannot go on with a folder that is another by now.
        let token = b.token;
        dav(&ada, "MOVE", "/dav/home/b", &[("destination", "/dav/home/c")], "").await;
        let refused = dav(&ada, "REPORT", "/dav/home/c", &[], &report(&token, "infinite", None)).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("<D:valid-sync-token/>"), "{}", refused.text());
    }

    async fn reports_that_cannot_be_are_refused(server: Server) {
        let ada = mounted(&server).await;
        dav(&ada, "PUT", "/dav/home/a", &[], "a").await;
        let whole = report("", "1", None);
        let refused = |answer: support::Answer, status: u16, word: &str| {
            assert_eq!(answer.status, status, "{}", answer.text());
            assert!(answer.text().contains(word), "{}", answer.text());
        };
        refused(dav(&ada, "REPORT", "/dav/home/a", &[], &whole).await, 403, "<D:supported-report/>");
        refused(dav(&ada, "REPORT", "/dav/home/", &[], "<D:expand-property xmlns:D='DAV:'/>").await, 403, "<D:supported-report/>");
        let other = server.admin().await.get("/api/drives").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        for token in ["nonsense".to_owned(), "urn:holdfast:sync:x".to_owned(), format!("urn:holdfast:sync:{other}"), format!("urn:holdfast:sync:{}", uuid::Uuid::new_v4().simple())] {
            refused(dav(&ada, "REPORT", "/dav/home/", &[], &report(&token, "1", None)).await, 403, "<D:valid-sync-token/>");
        }
        for (depth, body) in [("1", whole.as_str()), ("infinity", &whole), ("0", ""), ("0", &report("", "2", None)), ("0", &report("", "", None)), ("0", "<x")] {
            assert_eq!(dav(&ada, "REPORT", "/dav/home/", &[("depth", depth)], body).await.status, 400, "{depth} {body}");
        }
        let minus = whole.replace("<D:prop>", "<D:limit><D:nresults>-1</D:nresults></D:limit><D:prop>");
        assert_eq!(dav(&ada, "REPORT", "/dav/home/", &[], &minus).await.status, 400);
        refused(dav(&ada, "REPORT", "/dav/home/", &[], &report("", "1", Some(0))).await, 507, "<D:number-of-matches-within-limits/>");
        assert_eq!(dav(&ada, "REPORT", "/dav/home/none", &[], &whole).await.status, 404);
        assert_eq!(dav(&ada, "REPORT", "/dav/", &[], &whole).await.status, 405);
        let (_, stranger) = server.member().await;
        assert_eq!(dav(&stranger, "REPORT", "/dav/by-id/x/", &[], &whole).await.status, 404);
    }
}

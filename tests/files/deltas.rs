//! Large files as differences: down by GET with `A-IM`, up by PATCH. The deltas are made and read here by hand.

use std::ops::Range;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use support::{Answer, both_engines};

use crate::home::{Home, file, hash, version_content};

const DELTA: &str = "application/x-holdfast-delta";
const MIB: usize = 1 << 20;

fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(7).fill(&mut bytes[..]);
    bytes
}

fn quoted(content: &[u8]) -> String {
    format!("\"{}\"", hash(content))
}

fn digest(content: &[u8]) -> String {
    use base64::Engine as _;
    let bytes = hex::decode(hash(content)).unwrap();
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(bytes))
}

enum Step<'b> {
    Copy(Range<u64>),
    New(&'b [u8]),
}

fn delta(size: usize, steps: &[Step]) -> Vec<u8> {
    let mut delta = b"HFD1".to_vec();
    delta.extend((size as u64).to_le_bytes());
    for step in steps {
        match step {
            Step::Copy(range) => {
                delta.push(b'C');
                delta.extend(range.start.to_le_bytes());
                delta.extend((range.end - range.start).to_le_bytes());
            }
            Step::New(bytes) => {
                delta.push(b'L');
                delta.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
                delta.extend(*bytes);
            }
        }
    }
    delta.push(b'E');
    delta
}

/// What a delta makes of its base.
fn applied(base: &[u8], delta: &[u8]) -> Vec<u8> {
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&delta[at..at + length]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    assert_eq!(&delta[..4], b"HFD1");
    let (size, mut at, mut made) = (number(4, 8), 12, Vec::new());
    loop {
        match delta[at] {
            b'C' => {
                let (start, length) = (number(at + 1, 8), number(at + 9, 8));
                made.extend(&base[start..start + length]);
                at += 17;
            }
            b'L' => {
                let length = number(at + 1, 4);
                made.extend(&delta[at + 5..at + 5 + length]);
                at += 5 + length;
            }
            b'E' => break,
            other => panic!("a step of kind {other}"),
        }
    }
    assert_eq!((at + 1, made.len()), (delta.len(), size));
    made
}

async fn put(home: &Home, path: &str, content: &[u8]) -> Answer {
    let request = home.client.request(Method::PUT, &file(path)).query(&[("parents", "true")]);
    home.client.send(request.body(content.to_vec())).await
}

async fn difference(home: &Home, address: &str, base: &[u8]) -> Answer {
    let request = home.client.request(Method::GET, address);
    let request = request.header("a-im", "holdfast-delta").header("if-none-match", quoted(base));
    home.client.send(request).await
}

async fn patch(home: &Home, path: &str, base: &[u8], result: &[u8], delta: Vec<u8>) -> Answer {
    let request = home.client.request(Method::PATCH, &file(path)).header("content-type", DELTA);
    let request = request.header("if-match", quoted(base)).header("repr-digest", digest(result));
    home.client.send(request.body(delta)).await
}

both_engines! {
    async fn a_large_file_that_changed_a_little_comes_as_the_difference(server: Server) {
        let home = Home::of(&server).await;
        let old = content(4 * MIB);
        let mut new = b"in front ".to_vec();
        new.extend(&old);
        new[2 * MIB..2 * MIB + 10].fill(b'x');
        put(&home, "/big", &old).await.expect(201);
        put(&home, "/big", &new).await.expect(200);
        let answer = difference(&home, &file("/big"), &old).await;
        assert_eq!(answer.status, 226);
        assert_eq!(answer.header("im"), Some("holdfast-delta"));
        assert_eq!(answer.header("content-type"), Some(DELTA));
        assert_eq!(answer.header("delta-base"), Some(quoted(&old).as_str()));
        assert_eq!(answer.header("etag"), Some(quoted(&new).as_str()));
        assert_eq!(answer.header("repr-digest"), Some(digest(&new).as_str()));
        assert_eq!(answer.header("content-length"), Some(answer.bytes.len().to_string().as_str()));
        assert!(applied(&old, &answer.bytes) == new, "the delta makes another content");
        assert!(answer.bytes.len() < MIB, "{} bytes came", answer.bytes.len());
    }

    async fn who_cannot_use_a_difference_gets_the_whole(server: Server) {
        let home = Home::of(&server).await;
        let (old, new, small) = (content(2 * MIB), content(3 * MIB), content(1000));
        put(&home, "/big", &old).await.expect(201);
        put(&home, "/big", &new).await.expect(200);
        put(&home, "/small", &small).await.expect(201);
        put(&home, "/small", &small[..500]).await.expect(200);
        let unknown = difference(&home, &file("/big"), b"what nobody ever had here").await;
        assert_eq!((unknown.status, unknown.bytes.len()), (200, new.len()));
        assert_eq!(difference(&home, &file("/small"), &small).await.status, 200, "a small file");
        assert_eq!(difference(&home, &file("/big"), &new).await.status, 304, "who has it");
        let request = home.client.request(Method::GET, &file("/big")).header("if-none-match", quoted(&old));
        assert_eq!(home.client.send(request).await.status, 200, "who did not ask for it");
        let request = home.client.request(Method::GET, &file("/big")).header("a-im", "holdfast-delta");
        let request = request.header("if-none-match", quoted(&old)).header("range", "bytes=0-9");
        let part = home.client.send(request).await;
        assert_eq!((part.status, part.bytes.len()), (206, 10), "a range is of the content");
    }

    async fn the_difference_to_a_content_of_another_drive_is_nobody_elses(server: Server) {
        let home = Home::of(&server).await;
        let (secret, mine) = (content(2 * MIB), content(3 * MIB));
        put(&home, "/secret", &secret).await.expect(201);
        let other = Home::of_client(&server, server.member().await.1).await;
        put(&other, "/mine", &mine).await.expect(201);
        let answer = difference(&other, &file("/mine"), &secret).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, mine.len()));
    }

    async fn a_file_is_changed_by_what_is_new_of_it_and_keeps_its_history(server: Server) {
        let home = Home::of(&server).await;
        let old = content(3 * MIB);
        let new = [&b"before"[..], &old[..MIB], b"between", &old[2 * MIB..], &old[..5]].concat();
        let steps = [
            Step::New(b"before"), Step::Copy(0..MIB as u64), Step::New(b"between"),
            Step::Copy(2 * MIB as u64..3 * MIB as u64), Step::Copy(0..5),
        ];
        let made = put(&home, "/big", &old).await.expect(201);
        let done = patch(&home, "/big", &old, &new, delta(new.len(), &steps)).await.expect(200);
        assert_eq!((&done["hash"], &done["id"], &done["version"]), (&hash(&new).into(), &made["id"], &2.into()));
        assert!(std::fs::read(home.root.join("big")).unwrap() == new);
        let versions = home.versions(&made["id"]).await;
        let kept = home.client.get(&version_content(&versions[1])).await;
        assert!(kept.bytes == old, "the base is in the history");
        let again = patch(&home, "/big", &old, &new, delta(new.len(), &steps)).await;
        assert_eq!(again.status, 412, "it is based on what is no longer there");
    }

    async fn a_file_may_become_empty_by_a_delta(server: Server) {
        let home = Home::with(&server, &[("/a", "something")]).await;
        patch(&home, "/a", b"something", b"", delta(0, &[])).await.expect(200);
        assert_eq!(home.read("/a").await, "");
    }

    async fn a_delta_that_does_not_make_what_it_says_changes_nothing(server: Server) {
        let home = Home::with(&server, &[("/a", "0123456789")]).await;
        let before = home.before().await;
        let (base, result) = (&b"0123456789"[..], &b"01234xyz"[..]);
        let good = || vec![Step::Copy(0..5), Step::New(&b"xyz"[..])];
        let whole = delta(8, &good());
        for (bad, why) in [
            (delta(7, &good()), "larger than it declares"),
            (delta(9, &good()), "smaller than it declares"),
            (delta(8, &[Step::Copy(5..11), Step::New(b"xy")]), "from beyond the base"),
            (delta(8, &[Step::Copy(1..6), Step::New(b"xyz")]), "another content"),
            (whole[..whole.len() - 1].to_vec(), "without its end"),
            (whole[..20].to_vec(), "broken off"),
            ([&whole[..], b"E"].concat(), "more after the end"),
            (b"HFD2 is not known".to_vec(), "no delta"),
            (vec![], "nothing"),
        ] {
            let answer = patch(&home, "/a", base, result, bad).await;
            assert_eq!(answer.status, 422, "{why}: {}", answer.text());
        }
        let ask = || home.client.request(Method::PATCH, &file("/a")).body(whole.clone());
        let all = || ask().header("content-type", DELTA).header("if-match", quoted(base));
        home.client.send(all()).await.expect_problem(422);
        let ask_digest = || ask().header("repr-digest", digest(result));
        home.client.send(ask_digest().header("if-match", quoted(base))).await.expect_problem(415);
        let with_kind = || ask_digest().header("content-type", DELTA);
        home.client.send(with_kind()).await.expect_problem(422);
        home.client.send(with_kind().header("if-match", "*")).await.expect_problem(422);
        home.client.send(with_kind().header("if-match", quoted(b"other"))).await.expect_problem(412);
        patch(&home, "/none", base, result, whole.clone()).await.expect_problem(404);
        home.is_as(&before).await;
        patch(&home, "/a", base, result, whole).await.expect(200);
        assert_eq!(home.read("/a").await, "01234xyz");
    }
}

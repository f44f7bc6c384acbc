//! A write that says what it expects replaces nothing else.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use support::{both_engines, only_slots, plain, slots};

use crate::home::{Home, file, hash, tag};

both_engines! {
    async fn a_put_that_expects_what_is_there_replaces_it(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        home.put_with("/a.txt", "two", &[("if-match", &tag("one"))]).await.expect(200);
        home.put_with("/a.txt", "three", &[("if-match", "*")]).await.expect(200);
        let several = format!("{}, {}", tag("other"), tag("three"));
        home.put_with("/a.txt", "four", &[("if-match", &several)]).await.expect(200);
        home.put_with("/a.txt", "five", &[("if-match", &tag("four").to_uppercase())]).await.expect(200);
        home.put_with("/a.txt", "six", &[("if-none-match", &tag("other"))]).await.expect(200);
        assert_eq!(home.read("/a.txt").await, "six");
        assert_eq!(plain(&home.root)["/a.txt"].as_deref(), Some(&b"six"[..]));
    }

    async fn a_put_that_expects_something_else_is_412_and_changes_nothing(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/Folder/x.txt", "x")]).await;
        let before = home.before().await;
        let problem = home.put_with("/a.txt", "two", &[("if-match", &tag("old"))]).await.expect_problem(412);
        assert_eq!(problem["expected_hash"], hash("old"));
        assert_eq!(problem["actual_hash"], hash("one"));
        let problem = home.put_with("/a.txt", "two", &[("if-none-match", "*")]).await.expect_problem(412);
        assert_eq!(problem["actual_hash"], hash("one"));
        let problem = home.put_with("/none.txt", "two", &[("if-match", &tag("one"))]).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("one")), &Value::Null));
        let weak = format!("W/{}", tag("one"));
        let two = format!("{}, {}", tag("old"), tag("older"));
        for (path, name, value) in [
            ("/none.txt", "if-match", "*"),
            ("/Folder", "if-match", "*"),
            ("/Folder", "if-match", &tag("one")),
            ("/a.txt", "if-match", &weak),
            ("/a.txt", "if-match", "\"not a hash\""),
            ("/a.txt", "if-match", &two),
            ("/a.txt", "if-none-match", &tag("one")),
            ("/a.txt", "if-none-match", &weak),
            ("/a.txt", "if-unmodified-since", "Wed, 01 Jan 2020 12:00:00 GMT"),
        ] {
            home.put_with(path, "two", &[(name, value)]).await.expect_problem(412);
        }
        let both = [("if-match", tag("one")), ("if-none-match", "*".to_owned())];
        let both = both.each_ref().map(|(name, value)| (*name, value.as_str()));
        home.put_with("/a.txt", "two", &both).await.expect_problem(412);
        home.is_as(&before).await;
    }

    async fn a_put_that_expects_nothing_makes_a_new_file_alone(server: Server) {
        let home = Home::of(&server).await;
        home.put_with("/a.txt", "one", &[("if-none-match", "*")]).await.expect(201);
        home.put_with("/a.txt", "two", &[("if-none-match", "*")]).await.expect_problem(412);
        assert_eq!(home.read("/a.txt").await, "one");
        home.remove("/a.txt").await;
        home.put_with("/a.txt", "three", &[("if-none-match", "*")]).await.expect(201);
        assert_eq!(home.read("/a.txt").await, "three");
    }

    async fn a_delete_that_expects_something_else_is_412_and_deletes_nothing(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let before = home.before().await;
        let problem = home.send_with(Method::DELETE, "/a.txt", "", &[("if-match", &tag("old"))]).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("one"))));
        home.send_with(Method::DELETE, "/a.txt", "", &[("if-none-match", "*")]).await.expect_problem(412);
        home.is_as(&before).await;
        home.send_with(Method::DELETE, "/a.txt", "", &[("if-match", &tag("one"))]).await.expect(204);
        assert!(plain(&home.root).is_empty());
    }

    async fn of_two_writers_who_expect_the_same_one_wins_and_the_other_is_told(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "0")]).await;
        let (mut current, mut winners) = ("0".to_owned(), Vec::new());
        for round in 1..=5 {
            let expected = tag(&current);
            let contents = [format!("{round}, left"), format!("{round}, right")];
            let headers = [("if-match", expected.as_str())];
            let (left, right) = tokio::join!(
                home.put_with("/a.txt", &contents[0], &headers),
                home.put_with("/a.txt", &contents[1], &headers),
            );
            let won = usize::from(left.status != 200);
            let (winner, loser) = if won == 0 { (left, right) } else { (right, left) };
            winner.expect(200);
            let problem = loser.expect_problem(412);
            assert_eq!(problem["expected_hash"], hash(&current));
            assert_eq!(problem["actual_hash"], hash(&contents[won]));
            current.clone_from(&contents[won]);
            winners.push(current.clone());
            assert_eq!(home.read("/a.txt").await, current);
            assert_eq!(plain(&home.root)["/a.txt"].as_deref(), Some(current.as_bytes()));
        }
        winners.reverse();
        winners.push("0".to_owned());
        assert_eq!(home.contents(&home.entry("/a.txt").await["id"]).await, winners);
        let kept = winners.len() - 1;
        assert_eq!(slots(&home.root).len(), kept, "one slot for each content that was replaced");
    }

    async fn of_many_who_make_one_file_one_makes_it(server: Server) {
        let home = Home::of(&server).await;
        let contents: Vec<String> = (0..8).map(|n| format!("by {n}")).collect();
        let answers = join_all(contents.iter().map(|content| home.put_with("/a.txt", content, &[("if-none-match", "*")]))).await;
        let won: Vec<usize> = (0..8).filter(|n| answers[*n].status == 201).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let winner = &contents[won[0]];
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.expect_problem(412)["actual_hash"], hash(winner));
        }
        assert_eq!(&home.read("/a.txt").await, winner);
        only_slots(&home.root, &[]).await;
    }

    async fn writers_who_expect_nothing_in_particular_all_succeed_and_none_is_lost(server: Server) {
        let home = Home::of(&server).await;
        let contents: Vec<String> = (0..8).map(|n| format!("by {n}")).collect();
        let answers = join_all(contents.iter().map(|content| home.put_with("/a.txt", content, &[]))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 7);
        let mut kept = home.contents(&home.entry("/a.txt").await["id"]).await;
        assert_eq!(home.read("/a.txt").await, kept[0]);
        kept.sort();
        assert_eq!(kept, contents);
        home.is_plain().await;
    }

    async fn a_put_whose_answer_was_lost_may_be_repeated(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let expected = tag("one");
        let headers = [("if-match", expected.as_str()), ("x-oc-mtime", "1735732800.5")];
        let first = home.put_with("/a.txt", "two", &headers).await.expect(200);
        let before = home.before().await;
        let again = home.put_with("/a.txt", "two", &headers).await.expect(200);
        assert_eq!(again, first);
        home.is_as(&before).await;
        let created = [("if-none-match", "*"), ("x-oc-mtime", "1735732800.5")];
        let first = home.put_with("/new.txt", "new", &created).await.expect(201);
        let before = home.before().await;
        let again = home.put_with("/new.txt", "new", &created).await.expect(200);
        assert_eq!(again, first);
        home.is_as(&before).await;
    }

    async fn a_put_of_what_is_current_succeeds_whatever_it_expects_also_without_a_time(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let expected = tag("one");
        home.put_with("/a.txt", "two", &[("if-match", &expected)]).await.expect(200);
        let before = home.before().await;
        for (name, value) in [("if-match", expected.as_str()), ("if-none-match", "*")] {
            home.put_with("/a.txt", "two", &[(name, value)]).await.expect(200);
            assert_eq!(home.client.get(&file("/a.txt")).await.header("etag"), Some(tag("two").as_str()));
        }
        home.is_as(&before).await;
    }
}

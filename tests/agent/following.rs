//! `sync run`: devices that follow each other by themselves.

use support::block_on;

use crate::laptop::{Laptop, a_server, all_hold};

#[test]
fn edits_travel_both_ways_while_agents_and_server_die_and_come_back() {
    block_on(async {
        let mut server = a_server().await;
        let (mut one, mut two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.start();
        two.start();
        one.write("a/first.txt", "from one");
        two.write("b/second.txt", "from two");
        all_hold(&[&one, &two], "both have both", |tree| tree.len() == 4).await;

        std::fs::rename(one.at("a"), one.at("moved")).unwrap();
        std::fs::remove_file(two.at("b/second.txt")).unwrap();
        all_hold(&[&one, &two], "a rename and a deletion", |tree| {
            tree.keys().collect::<Vec<_>>() == ["b", "moved", "moved/first.txt"]
        })
        .await;

        // In the middle of much to do.
        for n in 0..200 {
            one.write(&format!("many/{n}.txt"), &format!("number {n}"));
        }
        one.kill();
        two.kill();
        one.start();
        two.start();
        all_hold(&[&one, &two], "all of many", |tree| tree.len() == 204).await;

        server.kill9();
        one.write("moved/first.txt", "written without a server");
        server.launch().await;
        all_hold(&[&one, &two], "what was written without a server", |tree| {
            tree.get("moved/first.txt").cloned().flatten().as_deref() == Some("written without a server")
        })
        .await;
        assert!(!two.tree().keys().any(|name| name.contains("conflict")), "{:?}", two.tree().keys());
        assert!(one.stop().success(), "{}", one.log());
        assert!(two.stop().success(), "{}", two.log());
    });
}

#[test]
fn a_second_agent_on_one_folder_is_refused() {
    block_on(async {
        let server = a_server().await;
        let mut one = Laptop::with_folder(&server, "one");
        one.start();
        one.write("a.txt", "a");
        let two = Laptop::with_folder(&server, "two");
        support::eventually("the first is at work", || async {
            two.sync();
            (!two.tree().is_empty()).then_some(())
        })
        .await;
        let refused = one.run(&["sync", "now"]);
        assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    });
}

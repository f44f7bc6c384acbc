//! A connection that is cut again and again while a large file goes up.

use std::io::{Read as _, Write as _};

use rand::{Rng as _, RngCore as _};
use sha2::{Digest as _, Sha256};
use support::{Cutting, Server, block_on};

use crate::tool::Tool;

const MIB: u64 = 1024 * 1024;

/// A file of random bytes, without holding it in memory; gives its hash.
fn random_file(tool: &Tool, name: &str, size: u64) -> String {
    let mut file = std::fs::File::create(tool.here().join(name)).unwrap();
    let (mut hasher, mut left, mut block) = (Sha256::new(), size, vec![0; 1 << 20]);
    while left > 0 {
        block.truncate(usize::try_from(left).unwrap_or(block.len()));
        rand::rng().fill_bytes(&mut block);
        file.write_all(&block).unwrap();
        hasher.update(&block);
        left -= block.len() as u64;
    }
    hex::encode(hasher.finalize())
}

fn hash_of(path: &std::path::Path) -> String {
    let (mut file, mut hasher, mut block) =
        (std::fs::File::open(path).unwrap(), Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).unwrap() {
            0 => return hex::encode(hasher.finalize()),
            read => hasher.update(&block[..read]),
        }
    }
}

/// A device that reaches its server through a proxy.
async fn behind_a_proxy(server: &Server) -> (Tool, Cutting) {
    let proxy = Cutting::before(server.address()).await;
    let tool = Tool::new();
    let password = format!("{}\n", server.password());
    tool.run_with(&["login", proxy.url(), "--username", server.username(), "--password-stdin"], &password)
        .await
        .ok();
    (tool, proxy)
}

async fn cut_twenty_times(size: u64) {
    let server = Server::start(support::Engine::Sqlite).await;
    let (tool, proxy) = behind_a_proxy(&server).await;
    let hash = random_file(&tool, "large", size);
    let mut cuts: Vec<u64> = (0..20).map(|_| rand::rng().random_range(MIB / 2..size)).collect();
    cuts.sort_unstable();
    // So far apart that an attempt gets anywhere at all.
    for at in 1..cuts.len() {
        cuts[at] = cuts[at].max(cuts[at - 1] + MIB / 2);
    }
    proxy.cut_at(cuts);
    let before = proxy.sent();
    let put = tool.json(&["put", "large"]).await;
    let sent = proxy.sent() - before;
    assert_eq!((&put["hash"], proxy.cuts_left()), (&hash.as_str().into(), 0));
    assert!(sent < size + 20 * MIB, "{} bytes were sent again", sent - size);
    let root = support::home_of(&server, &server.admin().await).await;
    assert_eq!(hash_of(&root.join("large")), hash);
}

#[test]
fn twenty_cuts_cost_at_most_a_megabyte_each() {
    block_on(cut_twenty_times(64 * MIB));
    if std::env::var_os("HOLDFAST_LONG").is_some() {
        block_on(cut_twenty_times(2048 * MIB));
    }
}

#[test]
fn a_put_that_was_killed_is_gone_on_with_by_the_next() {
    block_on(async {
        let mut server = Server::start(support::Engine::Sqlite).await;
        let (tool, proxy) = behind_a_proxy(&server).await;
        let hash = random_file(&tool, "large", 40 * MIB);
        let before = proxy.sent();
        let mut first = tool.command(&["put", "large"]).spawn().unwrap();
        support::eventually("half of it to be sent", || async {
            (proxy.sent() > before + 20 * MIB).then_some(())
        })
        .await;
        first.kill().await.unwrap();
        server.restart().await;
        proxy.lead_to(server.address());
        let put = tool.json(&["put", "large"]).await;
        assert_eq!(put["hash"], hash.as_str());
        let sent = proxy.sent() - before;
        assert!(sent < 50 * MIB, "{sent} bytes for 40 MiB");
    });
}

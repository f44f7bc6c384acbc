//! Contents that fit in no memory that one would like to give.

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::tool::with_server;

#[test]
fn two_hundred_megabytes_go_there_and_back_unchanged() {
    with_server(async |_, tool| {
        let mut content = vec![0; 200_000_003];
        rand::rng().fill_bytes(&mut content);
        let hash = hex::encode(Sha256::digest(&content));
        tool.write("large.bin", &content);
        drop(content);
        let put = tool.json(&["put", "large.bin"]).await;
        assert_eq!((&put["hash"], &put["size"]), (&hash.as_str().into(), &200_000_003.into()));
        let got = tool.json(&["get", "large.bin", "back.bin"]).await;
        assert_eq!(got["hash"], hash.as_str());
        let back = std::fs::read(tool.here().join("back.bin")).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&back)), hash);
        assert_eq!(tool.names(), ["back.bin", "large.bin"]);
    });
}

#[test]
fn a_large_file_that_may_not_be_put_is_refused_with_the_servers_reason() {
    with_server(async |_, tool| {
        tool.write("small", "x");
        tool.run(&["put", "small", "a"]).await.ok();
        tool.write("large", vec![7; 50_000_000]);
        tool.run(&["put", "large", "a", "--if-absent"]).await.failed(4, &["home:/a is there already"]);
        tool.run(&["put", "large", "a/below"]).await.failed(4, &["home:/a/below"]);
        assert_eq!(tool.run(&["get", "a", "-"]).await.ok().out, "x");
    });
}

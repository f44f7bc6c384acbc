//! Settings, completions, and a command line that is wrong.

use support::block_on;

use crate::tool::{Tool, with_server};

#[test]
fn a_setting_is_shown_set_and_unset() {
    block_on(async {
        let tool = Tool::new();
        let path = tool.run(&["config", "path"]).await.ok().out;
        assert_eq!(path.trim_end(), tool.state().join("config.toml").to_str().unwrap());
        assert_eq!(tool.run(&["config", "show", "drive"]).await.ok().out, "home\n");
        tool.run(&["config", "set", "drive", "photos"]).await.ok();
        let shown = tool.json(&["config", "show"]).await;
        assert_eq!(shown["drive"], serde_json::json!({"value": "photos", "set": true}));
        assert_eq!(shown["attempts"], serde_json::json!({"value": 4, "set": false}));
        tool.run(&["config", "unset", "drive"]).await.ok();
        assert_eq!(tool.run(&["config", "show", "drive"]).await.ok().out, "home\n");
    });
}

#[test]
fn a_setting_that_is_spelt_wrong_is_refused_with_the_one_that_was_meant() {
    block_on(async {
        let tool = Tool::new();
        tool.run(&["config", "set", "atempts", "3"])
            .await
            .failed(2, &["\"atempts\"", "did you mean \"attempts\"?"]);
        tool.run(&["config", "set", "attempts", "none"]).await.failed(2, &["a number from 1 to 20"]);
        tool.run(&["config", "show", "nonsense"]).await.failed(2, &["there are drive, times"]);
        std::fs::create_dir(tool.state()).unwrap();
        std::fs::write(tool.state().join("config.toml"), "drve = \"x\"\n").unwrap();
        tool.run(&["config", "show"]).await.failed(2, &["did you mean \"drive\"?"]);
        std::fs::write(tool.state().join("config.toml"), "drive = \n").unwrap();
        tool.run(&["config", "show"]).await.failed(2, &["config.toml cannot be understood"]);
    });
}

#[test]
fn the_drive_that_is_set_is_meant_where_a_path_names_none() {
    with_server(async |_, tool| {
        tool.run(&["config", "set", "drive", "elsewhere"]).await.ok();
        tool.run(&["ls"]).await.failed(3, &["elsewhere:/", "no such drive"]);
        tool.run(&["ls", "home:"]).await.ok();
    });
}

#[test]
fn a_command_line_that_is_wrong_says_so_with_its_own_code() {
    block_on(async {
        let tool = Tool::new();
        tool.run(&["lss"]).await.failed(2, &["'lss'", "'ls'"]);
        tool.run(&["get"]).await.failed(2, &["[DRIVE:]PATH"]);
        let told = tool.run(&["get", "--json"]).await.failed(2, &[]);
        let told: serde_json::Value = serde_json::from_str(&told.err).unwrap();
        assert_eq!(told["error"]["exit"], 2);
        assert!(tool.run(&["--help"]).await.ok().out.contains("Exit codes:"));
        assert!(tool.run(&["--version"]).await.ok().out.starts_with("holdfast 0."));
    });
}

#[test]
fn completions_are_made_for_every_shell() {
    block_on(async {
        let tool = Tool::new();
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            assert!(tool.run(&["completions", shell]).await.ok().out.contains("conflicts"), "{shell}");
        }
        tool.run(&["completions", "csh"]).await.failed(2, &["csh"]);
    });
}

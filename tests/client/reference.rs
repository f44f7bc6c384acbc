//! The whole command line, as a page that is committed.

use support::block_on;

use crate::tool::Tool;

#[test]
fn the_page_of_all_commands_is_what_the_program_says_of_itself() {
    block_on(async {
        let said = Tool::new().run(&["reference"]).await.ok().out;
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
        let committed = std::fs::read_to_string(page).unwrap_or_default();
        assert!(said == committed, "docs/commands.md is stale: `holdfast reference > docs/commands.md`");
    });
}

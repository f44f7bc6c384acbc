//! The whole command line as a page (`docs/commands.md`); a test fails when that is stale.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::{Context, Failure, Line};

/// Print the whole command line as a page
#[derive(clap::Args)]
pub struct Args {}

const HEAD: &str = "\
# The commands of `holdfast`

Made by `holdfast reference`; a test fails when it is not what the program says of itself.
";

pub fn run(context: &Context) -> Result<(), Failure> {
    let mut page = HEAD.to_owned();
    // Built once as a whole, so that options of all commands are told with each.
    let mut line = Line::command().term_width(100);
    line.build();
    describe(&mut page, &mut line, "holdfast");
    Ok(context.out.write(page.as_bytes())?)
}

fn describe(page: &mut String, command: &mut Command, name: &str) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    let beneath: Vec<String> =
        command.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_owned()).collect();
    for verb in beneath {
        if let Some(command) = command.find_subcommand_mut(&verb) {
            describe(page, command, &format!("{name} {verb}"));
        }
    }
}

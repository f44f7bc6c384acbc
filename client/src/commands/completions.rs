//! `holdfast completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Context, Failure, Line};

/// Print completions for a shell
#[derive(clap::Args)]
#[command(after_long_help = "\
For example, for bash:

  mkdir -p ~/.local/share/bash-completion/completions
  holdfast completions bash > ~/.local/share/bash-completion/completions/holdfast")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

pub fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Line::command(), "holdfast", &mut script);
    Ok(context.out.write(&script)?)
}

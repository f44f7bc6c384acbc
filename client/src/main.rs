//! `holdfast`: see [`holdfast_client`].

use std::process::ExitCode;

fn main() -> ExitCode {
    holdfast_client::commands::run()
}

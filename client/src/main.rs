//! `holdfast`: see [`holdfast_client`].

use clap::Parser;

/// Works with a Holdfast server: files, history, and folders kept in sync.
#[derive(Parser)]
#[command(name = "holdfast", version)]
struct Line {}

fn main() {
    Line::parse();
}

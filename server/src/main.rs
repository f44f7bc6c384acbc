//! The command line of `holdfastd`.

fn main() -> std::process::ExitCode {
    holdfastd::commands::main()
}

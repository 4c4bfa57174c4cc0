//! The `sori` command.

fn main() -> std::process::ExitCode {
    sori::cli::main()
}

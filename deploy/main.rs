//! `luci`: one binary, its roles and commands as subcommands.

use std::process::ExitCode;

fn main() -> ExitCode {
    luci::cli::main()
}

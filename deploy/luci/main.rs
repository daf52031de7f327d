//! The binary `luci`; its commands are in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    luci::cli::main()
}

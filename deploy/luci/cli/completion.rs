//! `luci completion`, `luci man`: what a shell and `man` need, made from the definition of the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Outcome, out};

#[derive(Debug, Args)]
pub struct Completion {
    /// Source it: `source <(luci completion bash)`
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    pub fn run<C: CommandFactory>(self) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut C::command(), "luci", &mut script);
        out::write(&script)?;
        Ok(Outcome::Done)
    }
}

#[derive(Debug, Args)]
pub struct Man {
    /// Folder whose `man1` gets luci.1, luci-run.1 and the others; it is made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub fn run<C: CommandFactory>(self) -> anyhow::Result<Outcome> {
        let cannot = || format!("cannot write manual pages into {}", self.dir.display());
        // `man` looks for a section's pages in a folder of its own.
        let section = self.dir.join("man1");
        std::fs::create_dir_all(&section).with_context(cannot)?;
        clap_mangen::generate_to(C::command(), &section).with_context(cannot)?;
        out::line(&format!("man -M {} luci", self.dir.display()))?;
        Ok(Outcome::Done)
    }
}

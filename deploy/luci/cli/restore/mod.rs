//! `luci restore`: puts a backup in place of the database, shows what happened after the restored state, and accepts it.

mod accept;
pub mod findings;
mod load;
mod owners;
mod plan;

use std::{io::Write as _, path::Path};

use clap::Subcommand;
use luci_runs::relay::LostEvent;

use super::Outcome;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Restore {
    /// Restore a backup: a new database takes the name of the present one, which is kept; missing objects are copied
    Load(load::Load),
    /// Show why the log is halted and what happened after the restored state: events that NATS still has, and sends
    Plan(plan::Plan),
    /// Accept the restored state: nothing that was sent is sent again, a new epoch begins, and appends are allowed again
    Accept(accept::Accept),
}

impl Restore {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        match self {
            Self::Load(load) => load.run(config).await,
            Self::Plan(plan) => plan.run(config).await,
            Self::Accept(accept) => accept.run(config).await,
        }
    }
}

/// One CloudEvent per line, as it was published. The file must not exist, unless the same was saved before: `accept` was cut off.
pub fn save_lost(file: &Path, lost: &[LostEvent]) -> std::io::Result<()> {
    let partial = file.with_added_extension("partial");
    let mut lines = std::io::BufWriter::new(std::fs::File::create(&partial)?);
    for event in lost {
        lines.write_all(&event.body)?;
        lines.write_all(b"\n")?;
    }
    lines.into_inner()?.sync_all()?;
    if std::fs::exists(file)? {
        let same = std::fs::read(file)? == std::fs::read(&partial)?;
        std::fs::remove_file(&partial)?;
        return if same { Ok(()) } else { Err(std::io::ErrorKind::AlreadyExists.into()) };
    }
    std::fs::rename(&partial, file)
}

//! `luci relay`: repairs stream EVT where the relay may not decide by itself, because the stream has events that the log does
//! not have.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use luci_runs::relay::remove_stream;
use serde_json::json;

use super::{
    Outcome,
    out::{self, Format},
    restore::{findings::Findings, save_lost},
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum Relay {
    /// Show what stream EVT has and the log does not have; with --apply, save it and publish the log again from its start
    Repair {
        /// Remove the stream, so that the relay publishes the log into a new one
        #[arg(long)]
        apply: bool,
        /// File for the events that the log does not have [default: lost-events-EPOCH.ndjson]
        #[arg(long, value_name = "FILE")]
        lost_events: Option<PathBuf>,
        #[command(flatten)]
        format: Format,
    },
}

impl Relay {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Repair { apply, lost_events, format } = self;
        let found = Findings::read(config).await?;
        let (log, halted) = (&found.access.log, found.halted.as_deref());
        let lost = found.lost.as_deref().map_err(|error| anyhow::anyhow!("NATS cannot be asked: {error}"))?;
        let file = lost_events.unwrap_or_else(|| format!("lost-events-{}.ndjson", log.epoch()).into());
        let first = lost.first().map(|event| event.position);
        if apply && first.is_some() {
            save_lost(&file, lost).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if apply && let Some(client) = &found.broker {
            remove_stream(client).await?;
            log.resume().await?;
        }
        if !format.is_text() {
            format.document(&json!({"applied": apply, "halted": halted, "events": lost.len(), "from": first,
                "file": (apply && first.is_some()).then_some(&file)}))?;
            return Ok(Outcome::Done);
        }
        if let Some(why) = halted {
            out::line(&format!("halted: {why}"))?;
        }
        match first {
            None => out::line("stream EVT has nothing that the log does not have: the relay repairs it by itself")?,
            Some(first) => out::line(&format!(
                "stream EVT has {} events from position {first} on that the log does not have. Either the database was restored \
                 (`luci restore plan`), or this is the stream of another installation",
                lost.len()
            ))?,
        }
        match (apply, first) {
            (true, Some(_)) => {
                out::line(&format!("they were saved to {}; the log is published again", file.display()))?
            }
            (true, None) => out::line("the stream was removed; the log is published again")?,
            (false, _) => {
                out::line("nothing was changed; --apply removes the stream, and the relay publishes the log again")?
            }
        }
        Ok(Outcome::Done)
    }
}

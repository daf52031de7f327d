//! `luci restore plan`: what happened after the state that the database was restored to. Changes nothing.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::Args;
use luci_messaging::sender::journal::{self, JournalEntry};
use luci_runs::{
    broker,
    relay::{LostEvent, lost_events},
};
use luci_schema::{Micros, Position, log::halted};
use luci_storage::Storage;
use serde_json::json;

use crate::{
    cli::{Outcome, audit::seals::operator_store, out, projections::OperatorAccess},
    config::{Config, MissingSetting},
    local::InstanceFile,
};

/// Sends are looked for from so long before the newest event on: the clock of a sender may be slow, and not every send
/// appends an event.
const MARGIN_MS: i64 = 86_400_000;

#[derive(Debug, Args)]
pub struct Plan {
    #[arg(long)]
    json: bool,
}

/// What the restored database does not know.
pub(super) struct Findings {
    pub access: OperatorAccess,
    pub storage: Storage,
    pub head: Position,
    pub halted: Option<String>,
    /// The connection to NATS, if it answered.
    pub broker: Option<async_nats::Client>,
    /// Why NATS could not be asked, or the events that it has and the log does not have.
    pub lost: Result<Vec<LostEvent>, String>,
    /// Entries of the send journal, with their objects' paths.
    pub sends: Vec<(String, JournalEntry)>,
}

impl Findings {
    pub async fn read(config: &Config) -> anyhow::Result<Self> {
        let access = OperatorAccess::open(config).await?;
        let storage = operator_store(config)?;
        let head = access.log.newest().await?;
        let newest = access.log.read(Position(head.0.saturating_sub(1)), 1).await?.pop();
        let mut c = access.log.pool().acquire().await?;
        let halted = halted(&mut c).await?;
        let since = newest.map_or(Micros::now(), |event| event.recorded_at).plus_millis(-MARGIN_MS);
        let sends = journal::unknown(&mut c, &storage, since).await?;
        drop(c);
        let (broker, lost) = match lost(config, &access).await {
            Ok((client, lost)) => (Some(client), Ok(lost)),
            Err(error) => (None, Err(format!("{error:#}"))),
        };
        Ok(Self { access, storage, head, halted, broker, lost, sends })
    }
}

async fn lost(config: &Config, access: &OperatorAccess) -> anyhow::Result<(async_nats::Client, Vec<LostEvent>)> {
    use secrecy::ExposeSecret as _;
    let url = match &config.nats_url {
        Some(url) => url.expose_secret().to_owned(),
        None => {
            let remedy = "set it to the broker's URL, or choose a --data-dir where `luci up` runs";
            let instance = InstanceFile::read(&config.data_dir).context("cannot read the data folder")?;
            instance.ok_or(MissingSetting { name: "LUCI_NATS_URL", remedy })?.nats_url
        }
    };
    let client = broker::connect(&url, "luci restore").await?;
    broker::connected_within(&client, std::time::Duration::from_secs(5)).await?;
    let lost = lost_events(&client, &access.log).await?;
    Ok((client, lost))
}

impl Plan {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let found = Findings::read(config).await?;
        let lost = found.lost.as_deref();
        let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
        for event in lost.unwrap_or_default() {
            *by_type.entry(&event.event_type).or_default() += 1;
        }
        let mut by_tenant: BTreeMap<String, u64> = BTreeMap::new();
        for (_, entry) in &found.sends {
            *by_tenant.entry(entry.tenant_id.to_string()).or_default() += 1;
        }
        if self.json {
            out::json(&json!({"head": found.head, "epoch": found.access.log.epoch(), "halted": found.halted,
                "lostEvents": {"count": lost.map(<[_]>::len).ok(), "byType": by_type, "error": lost.err()},
                "sends": {"count": found.sends.len(), "byTenant": by_tenant}}))?;
            return Ok(Outcome::Done);
        }
        out::line(&format!("log ends at position {}, epoch {}", found.head, found.access.log.epoch()))?;
        out::line(&found.halted.as_deref().map_or("appends are allowed".to_owned(), |why| format!("halted: {why}")))?;
        match lost {
            Err(error) => out::line(&format!("events after it: NATS cannot be asked: {error}"))?,
            Ok([]) => out::line("events after it: NATS has none")?,
            Ok([first, .., last] | [first @ last]) => {
                out::line(&format!(
                    "events after it: {} in NATS, positions {} to {}; accepting saves them to a file and leaves them out of the log",
                    lost.map_or(0, <[_]>::len),
                    first.position,
                    last.position
                ))?;
                for (event_type, count) in &by_type {
                    out::line(&format!("  {count:>8}  {event_type}"))?;
                }
            }
        }
        let sends = found.sends.len();
        out::line(&format!(
            "sends that the database does not know: {sends}; accepting makes sure that none is sent again"
        ))?;
        for (tenant, count) in &by_tenant {
            out::line(&format!("  {count:>8}  {tenant}"))?;
        }
        Ok(Outcome::Done)
    }
}

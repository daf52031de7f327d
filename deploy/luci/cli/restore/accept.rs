//! `luci restore accept`: the restored state is the one to go on with.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;
use luci_messaging::{
    sender::journal,
    suppression_journal,
    webhooks::restored::{self, StoredDelivery},
};
use luci_runs::{seal_history, seal_memory::SealMemory, seal_stream::SealStream};
use luci_schema::{log::begin_epoch, migrate};
use luci_stages::erasure;
use luci_storage::Storage;
use serde_json::json;

use super::{findings::Findings, save_lost};
use crate::{
    cli::{
        Outcome,
        migrate::database_url,
        out::{self, Format},
        projections::OperatorAccess,
    },
    config::Config,
    process::from_config::{seal_bucket, seal_witness},
};

#[derive(Debug, Args)]
pub struct Accept {
    /// File for the events that NATS has and the restored log does not have [default: lost-events-EPOCH.ndjson]
    #[arg(long, value_name = "FILE")]
    lost_events: Option<PathBuf>,
    /// Accept although NATS cannot be asked; the events that it has are not saved
    #[arg(long)]
    without_nats: bool,
    /// Accept although the log is not halted and NATS has no later events
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    format: Format,
}

impl Accept {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let found = Findings::read(config).await?;
        let log = &found.access.log;
        let lost = match &found.lost {
            Ok(lost) => lost.as_slice(),
            Err(_) if self.without_nats => &[],
            Err(error) => bail!(
                "NATS cannot be asked for the events after the restored state: {error}; start it, or use --without-nats"
            ),
        };
        let unknown =
            found.seals + found.sends.len() + found.suppressions.len() + found.erasures.len() + found.deliveries.len();
        let nothing = found.halted.is_none() && lost.is_empty() && unknown == 0;
        ensure!(!nothing || self.force, "nothing to accept: the log is not halted, and nothing happened after its end");
        let file = self.lost_events.unwrap_or_else(|| format!("lost-events-{}.ndjson", log.epoch()).into());
        if !lost.is_empty() {
            save_lost(&file, lost).with_context(|| format!("cannot write {}", file.display()))?;
        }
        // Before appends are allowed again.
        journals(&found).await?;
        let broker = found.broker.as_ref().map(SealStream::on);
        let memory = SealMemory { file: Some(seal_witness(config)), broker, bucket: seal_bucket(config)? };
        seal_history::leave_behind(log, &found.storage, &memory).await?;
        let owner = migrate::connect_owner(&database_url(config)?).await.context("cannot connect to the database")?;
        let (position, epoch) = begin_epoch(&mut *owner.acquire().await?).await?;
        owner.close().await;
        let deliveries = bring_in(config, &found.storage, &found.deliveries).await?;
        let (events, sends, suppressions) = (lost.len(), found.sends.len(), found.suppressions.len());
        let erasures = found.erasures.len();
        if !self.format.is_text() {
            self.format
                .document(&json!({"position": position, "epoch": epoch, "lostEvents": events, "sends": sends,
                "suppressions": suppressions, "erasures": erasures, "deliveries": deliveries, "file": (events > 0).then_some(&file)}))?;
            return Ok(Outcome::Done);
        }
        if events > 0 {
            out::line(&format!("{events} events that the log does not have were saved to {}", file.display()))?;
        }
        out::line(&format!("{sends} sends were brought in and are not sent again"))?;
        out::line(&format!("{suppressions} numbers and addresses that people suppressed are suppressed again"))?;
        if erasures > 0 {
            out::line(&format!(
                "{erasures} erasures are carried out again by the clock role: see `GET /api/erasures`"
            ))?;
        }
        out::line(&format!("{deliveries} replies and reports that arrived after the restored state were recorded"))?;
        out::line(&format!("epoch {epoch} begins after position {position}. Restart every LUCI process now."))?;
        Ok(Outcome::Done)
    }
}

/// What the journals know, in one transaction.
async fn journals(found: &Findings) -> anyhow::Result<()> {
    let mut tx = found.access.log.pool().begin().await?;
    journal::bring_in(&mut tx, &found.sends).await?;
    suppression_journal::bring_in(&mut tx, &found.suppressions).await?;
    match &found.vault {
        Some(vault) => erasure::journal::repeat(&mut tx, (&found.storage, vault), &found.erasures).await?,
        None => ensure!(
            found.erasures.is_empty(),
            "{} people were erased after the restored state, and are not recognised without the master key: \
             set LUCI_MASTER_KEY, or choose the --data-dir that has master.key",
            found.erasures.len()
        ),
    }
    tx.commit().await?;
    Ok(())
}

/// Records deliveries in the new epoch. One that cannot be read stops none of the others.
async fn bring_in(config: &Config, storage: &Storage, deliveries: &[StoredDelivery]) -> anyhow::Result<u64> {
    let log = OperatorAccess::open(config).await?.log;
    let (mut recorded, mut failed) = (0, Vec::new());
    for delivery in deliveries {
        match restored::bring_in(&log, storage, delivery).await {
            Ok(new) => recorded += u64::from(new),
            Err(error) => failed.push(format!("{}: {error}", delivery.tenant)),
        }
    }
    ensure!(
        failed.is_empty(),
        "the epoch has begun, but {} deliveries were not recorded; run this command again with --force:\n{}",
        failed.len(),
        failed.join("\n")
    );
    Ok(recorded)
}

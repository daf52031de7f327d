//! `luci restore plan`: what happened after the state that the database was restored to. Changes nothing.

use std::collections::BTreeMap;

use clap::Args;
use luci_schema::TenantId;
use serde_json::json;

use super::findings::Findings;
use crate::{
    cli::{
        Outcome,
        out::{self, Format},
    },
    config::Config,
};

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    format: Format,
}

impl Plan {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let found = Findings::read(config).await?;
        let lost = found.lost.as_deref();
        let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
        for event in lost.unwrap_or_default() {
            *by_type.entry(&event.event_type).or_default() += 1;
        }
        let by_tenant = by_tenant(found.sends.iter().map(|(_, entry)| entry.tenant_id));
        let erasures_by_tenant = self::by_tenant(found.erasures.iter().map(|entry| entry.tenant_id));
        let (erasures, leads_back) = (found.erasures.len(), found.leads_back);
        if !self.format.is_text() {
            self.format.document(
                &json!({"head": found.head, "epoch": found.access.log.epoch(), "halted": found.halted,
                "lostEvents": {"count": lost.map(<[_]>::len).ok(), "byType": by_type, "error": lost.err()},
                "seals": found.seals, "sends": {"count": found.sends.len(), "byTenant": by_tenant},
                "suppressions": found.suppressions.len(), "deliveries": found.deliveries.len(),
                "erasures": {"count": erasures, "byTenant": erasures_by_tenant, "leads": leads_back}}),
            )?;
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
        if found.seals > 0 {
            let seals = found.seals;
            out::line(&format!(
                "seals that the database does not know: {seals}; accepting lets the log be sealed again"
            ))?;
        }
        let sends = found.sends.len();
        out::line(&format!(
            "sends that the database does not know: {sends}; accepting makes sure that none is sent again"
        ))?;
        for (tenant, count) in &by_tenant {
            out::line(&format!("  {count:>8}  {tenant}"))?;
        }
        people(&found, &erasures_by_tenant)
    }
}

fn by_tenant(of: impl Iterator<Item = TenantId>) -> BTreeMap<String, u64> {
    of.fold(BTreeMap::new(), |mut counts, tenant| {
        *counts.entry(tenant.to_string()).or_default() += 1;
        counts
    })
}

/// Who is not to be contacted, and who was erased.
fn people(found: &Findings, erasures_by_tenant: &BTreeMap<String, u64>) -> anyhow::Result<Outcome> {
    let suppressions = found.suppressions.len();
    out::line(&format!(
        "suppressions by people that the database does not know: {suppressions}; accepting adds them, as hashes"
    ))?;
    let leads = found.leads_back.map_or("an unknown number of (no master key)".to_owned(), |leads| leads.to_string());
    out::line(&format!(
        "people who were erased and are back: {} erasures, {leads} leads; accepting has them erased again",
        found.erasures.len()
    ))?;
    for (tenant, count) in erasures_by_tenant {
        out::line(&format!("  {count:>8}  {tenant}"))?;
    }
    let deliveries = found.deliveries.len();
    out::line(&format!(
        "replies and reports that the database does not know: {deliveries}; accepting records them, and with them opt-outs"
    ))?;
    Ok(Outcome::Done)
}

//! The zones of sends that were queued before their zones were recorded.

use luci_leads::{Lead, store::leads};
use luci_schema::{LeadId, TenantId};
use sqlx::PgConnection;

use crate::{
    rules::{channel::Channel, zones},
    store::sends,
};

/// Sends of one transaction.
const BATCH: i64 = 200;

/// Looks up and records the zones of queued sends that have none, at most `BATCH`.
pub(super) async fn record_missing(
    c: &mut PgConnection,
    tenant: TenantId,
    channel: Channel,
) -> Result<(), sqlx::Error> {
    let missing = sends::without_zones(c, tenant, channel, BATCH).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let ids: Vec<LeadId> = missing.iter().map(|send| send.lead_id).collect();
    let leads = leads::load(c, tenant, &ids).await?;
    for send in missing {
        let bare = || Lead::bare(send.lead_id, 0, 0);
        let zones = zones::of_lead(&send.to, &leads.get(&send.lead_id).cloned().unwrap_or_else(bare));
        sends::set_zones(c, tenant, send.id, &zones).await?;
    }
    Ok(())
}

//! Table `dialer_queue`: calls to make, each under a send key that exists once.

pub(super) mod sending;
pub(super) mod table;

use std::collections::HashMap;

use luci_schema::{CallId, LeadId, TenantId};
use sqlx::PgConnection;

use crate::store::send_batch::{SendBatch, SendOwner};

pub use crate::store::dialer_queue::table::{cancel_for, ended, set_zones};

/// A call to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    pub id: CallId,
    pub send_key: [u8; 32],
    pub lead_id: LeadId,
    /// E.164
    pub phone: String,
    /// Digits to dial once the call is answered.
    pub extension: Option<String>,
    pub contact_name: Option<String>,
    pub company_name: Option<String>,
    /// 1..=10
    pub priority: i16,
    /// Of the campaign.
    pub attempt_number: u32,
    /// Every IANA zone that the recipient may be in.
    pub time_zones: Vec<String>,
}

/// Queues the calls whose send keys are not queued yet. Returns whom each send key belongs to: this block, from now or from
/// an earlier delivery of it, or what was queued before, so that nothing is ever sent twice.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    calls: &[NewCall],
) -> Result<HashMap<[u8; 32], SendOwner>, sqlx::Error> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let inserted = table::insert(c, tenant, batch, calls).await?;
    if inserted == calls.len() as u64 {
        let own = |call: &NewCall| (call.send_key, SendOwner { lead: call.lead_id, own: true });
        return Ok(calls.iter().map(own).collect());
    }
    let owners: Vec<(Vec<u8>, LeadId, bool)> = sqlx::query_as(
        "select held.send_key, held.lead_id, held.block_id = $3 from unnest($2::bytea[]) as wanted (send_key)
          cross join lateral (select send_key, lead_id, block_id from dialer_queue
                               where tenant_id = $1 and send_key = wanted.send_key offset 0) as held",
    )
    .bind(tenant)
    .bind(calls.iter().map(|call| &call.send_key[..]).collect::<Vec<_>>())
    .bind(batch.block)
    .fetch_all(c)
    .await?;
    let owner = |(key, lead, own): (Vec<u8>, LeadId, bool)| Some((key.try_into().ok()?, SendOwner { lead, own }));
    Ok(owners.into_iter().filter_map(owner).collect())
}

//! Table `dialer_queue`: calls to make, each under a send key that exists once.

pub(super) mod sending;
pub(super) mod table;

use std::collections::HashSet;

use luci_schema::{CallId, LeadId, TenantId};
use sqlx::PgConnection;

use crate::store::send_batch::SendBatch;

pub use crate::store::dialer_queue::table::{cancel_for, ended};

/// A call to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    pub id: CallId,
    pub send_key: [u8; 32],
    pub lead_id: LeadId,
    /// E.164
    pub phone: String,
    pub contact_name: Option<String>,
    pub company_name: Option<String>,
    /// 1..=10
    pub priority: i16,
    /// Of the campaign.
    pub attempt_number: u32,
    /// The recipient's IANA zone, where it is known.
    pub time_zone: Option<&'static str>,
}

/// Queues the calls whose send keys are not queued yet. Returns the send keys that belong to this block, from now or from
/// an earlier delivery of it.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    calls: &[NewCall],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    if calls.is_empty() {
        return Ok(HashSet::new());
    }
    let inserted = table::insert(c, tenant, batch, calls).await?;
    if inserted == calls.len() as u64 {
        return Ok(calls.iter().map(|call| call.send_key).collect());
    }
    let own: Vec<Vec<u8>> = sqlx::query_scalar(
        "select own.send_key from unnest($2::bytea[]) as wanted (send_key)
          cross join lateral (select send_key, block_id from dialer_queue
                               where tenant_id = $1 and send_key = wanted.send_key offset 0) as own
          where own.block_id = $3",
    )
    .bind(tenant)
    .bind(calls.iter().map(|call| &call.send_key[..]).collect::<Vec<_>>())
    .bind(batch.block)
    .fetch_all(c)
    .await?;
    Ok(own.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

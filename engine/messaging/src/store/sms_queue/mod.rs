//! Table `sms_queue`: text messages to send, each under a send key that exists once.

pub mod drafts;
pub mod frequency;
mod previous;
pub mod review;
pub mod send_times;
pub mod send_wait;
pub(super) mod sending;
pub(super) mod table;

use std::collections::HashMap;

use luci_schema::{LeadId, MessageId, TenantId};
use sqlx::PgConnection;

use crate::store::send_batch::{SendBatch, SendOwner};

pub use crate::store::sms_queue::previous::{PreviousMessage, leads_at, previous};
pub use crate::store::sms_queue::sending::ends;
pub use crate::store::sms_queue::table::{cancel_for, identify, release_approved, set_zones, undelivered};

/// A message to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub id: MessageId,
    pub send_key: [u8; 32],
    pub lead_id: LeadId,
    /// E.164
    pub to: String,
    /// As it will be sent.
    pub body: String,
    /// 1..=10
    pub priority: i16,
    /// Of the campaign.
    pub attempt_number: u32,
    /// What the text was rendered from: `tpl_…`, a built-in text's name, or none for the blueprint's own text.
    pub template: Option<String>,
    pub template_version: Option<u32>,
    pub segments: u16,
    /// Every IANA zone that the recipient may be in.
    pub time_zones: Vec<String>,
}

/// Queues the messages whose send keys are not queued yet. Returns whom each send key belongs to: this block, from now or from
/// an earlier delivery of it, or what was queued before, so that nothing is ever sent twice.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    messages: &[NewMessage],
) -> Result<HashMap<[u8; 32], SendOwner>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(HashMap::new());
    }
    let inserted = table::insert(c, tenant, batch, messages).await?;
    if inserted == messages.len() as u64 {
        let own = |message: &NewMessage| (message.send_key, SendOwner { lead: message.lead_id, own: true });
        return Ok(messages.iter().map(own).collect());
    }
    let owners: Vec<(Vec<u8>, LeadId, bool)> = sqlx::query_as(
        "select held.send_key, held.lead_id, held.block_id = $3 from unnest($2::bytea[]) as wanted (send_key)
          cross join lateral (select send_key, lead_id, block_id from sms_queue
                               where tenant_id = $1 and send_key = wanted.send_key offset 0) as held",
    )
    .bind(tenant)
    .bind(messages.iter().map(|message| &message.send_key[..]).collect::<Vec<_>>())
    .bind(batch.block)
    .fetch_all(c)
    .await?;
    let owner = |(key, lead, own): (Vec<u8>, LeadId, bool)| Some((key.try_into().ok()?, SendOwner { lead, own }));
    Ok(owners.into_iter().filter_map(owner).collect())
}

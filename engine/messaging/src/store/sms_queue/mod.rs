//! Table `sms_queue`: text messages to send, each under a send key that exists once.

pub mod drafts;
mod previous;
pub mod review;
pub mod send_times;
pub mod send_wait;
pub(super) mod sending;
pub(super) mod table;

use std::collections::HashSet;

use luci_schema::{LeadId, MessageId, TenantId};
use sqlx::PgConnection;

use crate::store::send_batch::SendBatch;

pub use crate::store::sms_queue::previous::{PreviousMessage, leads_at, previous};
pub use crate::store::sms_queue::table::{cancel_for, identify, release_approved, undelivered};

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
    /// The recipient's IANA zone, where it is known.
    pub time_zone: Option<&'static str>,
}

/// Queues the messages whose send keys are not queued yet. Returns the send keys that belong to this block, from now or
/// from an earlier delivery of it; the others were queued by another block, so that no message is ever sent twice.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    messages: &[NewMessage],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let inserted = table::insert(c, tenant, batch, messages).await?;
    if inserted == messages.len() as u64 {
        return Ok(messages.iter().map(|message| message.send_key).collect());
    }
    let own: Vec<Vec<u8>> = sqlx::query_scalar(
        "select own.send_key from unnest($2::bytea[]) as wanted (send_key)
          cross join lateral (select send_key, block_id from sms_queue
                               where tenant_id = $1 and send_key = wanted.send_key offset 0) as own
          where own.block_id = $3",
    )
    .bind(tenant)
    .bind(messages.iter().map(|message| &message.send_key[..]).collect::<Vec<_>>())
    .bind(batch.block)
    .fetch_all(c)
    .await?;
    Ok(own.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

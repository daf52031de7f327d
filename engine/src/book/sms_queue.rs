//! Table `sms_queue`: text messages to send, each under a send key that can exist once.

use std::collections::HashSet;

use luci_schema::{BlockId, LeadId, MessageId, RunId, TenantId};
use sqlx::PgConnection;

/// A message to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub send_key: [u8; 32],
    pub lead_id: LeadId,
    /// E.164
    pub to: String,
    /// As it will be sent.
    pub body: String,
    /// 1..=10
    pub priority: i16,
}

/// Whether a person must approve before the sender takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Draft,
    Immediate,
}

/// Queues what is not queued yet. Answers the keys that this block holds, now or from an earlier delivery: the others
/// were queued by somebody else, and nobody is ever sent the same message twice.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    (run, block): (RunId, BlockId),
    campaign: &str,
    mode: Mode,
    messages: &[Message],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let status = match mode {
        Mode::Draft => "draft",
        Mode::Immediate => "pending",
    };
    sqlx::query(
        "insert into sms_queue (tenant_id, run_id, block_id, campaign_id, status, id, send_key, lead_id, to_number,
                                body, priority)
         select $1, $2, $3, $4, $5, message.* from unnest($6::text[], $7::bytea[], $8::text[], $9::text[], $10::text[],
                                                          $11::smallint[]) as message
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(run)
    .bind(block)
    .bind(campaign)
    .bind(status)
    .bind(messages.iter().map(|m| m.id).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| &m.send_key[..]).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.lead_id).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.to.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.body.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.priority).collect::<Vec<_>>())
    .execute(&mut *c)
    .await?;
    let held: Vec<Vec<u8>> = sqlx::query_scalar(
        "select held.send_key from unnest($2::bytea[]) as asked (send_key)
          cross join lateral (select send_key, block_id from sms_queue
                               where tenant_id = $1 and send_key = asked.send_key offset 0) as held
          where held.block_id = $3",
    )
    .bind(tenant)
    .bind(messages.iter().map(|m| &m.send_key[..]).collect::<Vec<_>>())
    .bind(block)
    .fetch_all(c)
    .await?;
    Ok(held.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

//! Table `sms_queue`: text messages to send, each under a send key that can exist once.

pub mod drafts;
mod earlier;
mod heard;
pub mod review;
pub mod times;
pub mod waiting;

use std::collections::HashSet;

use luci_schema::{BlockId, LeadId, MessageId, RunId, TenantId};
use sqlx::PgConnection;

pub use earlier::{Earlier, earlier};
pub use heard::{identify, leads_at, silence, undelivered};

use super::sends::Words;
use crate::lead::context::Context;

/// What a queued send goes by here.
pub(super) const WORDS: Words = Words {
    table: "sms_queue",
    lock: "sender:",
    number: "to_number",
    in_hand: "processing",
    sent: "sent",
    sent_at: "sent_at",
    provider_id: "provider_message_id",
    called_off: "cancelled",
};

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
    /// Of the campaign.
    pub attempt_number: u32,
    /// What the text was rendered from; none for words of the blueprint's own.
    pub template: Option<String>,
    pub template_version: Option<u32>,
    pub segments: u16,
    /// The recipient's IANA zone, where it is known.
    pub time_zone: Option<&'static str>,
}

/// What all sends of a block have in common.
#[derive(Debug, Clone, Copy)]
pub struct Queuing<'a> {
    pub run: RunId,
    pub block: BlockId,
    pub campaign: &'a str,
    pub context: Context,
    pub mode: Mode,
    pub agent: &'static str,
    pub media_url: Option<&'a str>,
}

impl Queuing<'_> {
    /// `sms_retarget`
    pub fn category(&self) -> String {
        format!("sms_{}", self.context)
    }
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
    queuing: &Queuing<'_>,
    messages: &[Message],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let made = insert(c, tenant, queuing, messages).await?;
    if made == messages.len() as u64 {
        return Ok(messages.iter().map(|m| m.send_key).collect());
    }
    let held: Vec<Vec<u8>> = sqlx::query_scalar(
        "select held.send_key from unnest($2::bytea[]) as asked (send_key)
          cross join lateral (select send_key, block_id from sms_queue
                               where tenant_id = $1 and send_key = asked.send_key offset 0) as held
          where held.block_id = $3",
    )
    .bind(tenant)
    .bind(messages.iter().map(|m| &m.send_key[..]).collect::<Vec<_>>())
    .bind(queuing.block)
    .fetch_all(c)
    .await?;
    Ok(held.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

/// Answers how many were not there yet.
async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    queuing: &Queuing<'_>,
    messages: &[Message],
) -> Result<u64, sqlx::Error> {
    let status = match queuing.mode {
        Mode::Draft => "draft",
        Mode::Immediate => "pending",
    };
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into sms_queue (tenant_id, run_id, block_id, campaign_id, status, context, template_category, agent,
                                media_url, id, send_key, lead_id, to_number, body, priority, attempt_number,
                                template_id, template_version, segments, time_zone)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, unnest($10::text[]), unnest($11::bytea[]), unnest($12::text[]),
                unnest($13::text[]), unnest($14::text[]), unnest($15::smallint[]), unnest($16::int[]),
                unnest($17::text[]), unnest($18::int[]), unnest($19::smallint[]), unnest($20::text[])
         on conflict (tenant_id, send_key) do nothing",
    )
    .bind(tenant)
    .bind(queuing.run)
    .bind(queuing.block)
    .bind(queuing.campaign)
    .bind(status)
    .bind(queuing.context.as_str())
    .bind(queuing.category())
    .bind(queuing.agent)
    .bind(queuing.media_url)
    .bind(messages.iter().map(|m| m.id).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| &m.send_key[..]).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.lead_id).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.to.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.body.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.priority).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| number(m.attempt_number)).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.template.as_deref()).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.template_version.map(number)).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| i16::try_from(m.segments).unwrap_or(i16::MAX)).collect::<Vec<_>>())
    .bind(messages.iter().map(|m| m.time_zone).collect::<Vec<_>>())
    .execute(c)
    .await
    .map(|done| done.rows_affected())
}

/// Approved messages become pending.
pub async fn deploy(c: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sms_queue set status = 'pending', updated_at = now() where tenant_id = $1 and status = 'approved'",
    )
    .bind(tenant)
    .execute(c)
    .await?;
    Ok(())
}

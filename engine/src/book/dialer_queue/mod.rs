//! Table `dialer_queue`: calls to make, each under a send key that can exist once.

mod heard;

use std::collections::HashSet;

use luci_schema::{CallId, LeadId, TenantId};
use sqlx::PgConnection;

pub use heard::{reported, silence};

use super::{sends::Words, sms_queue::Queuing};

/// What a queued send goes by here. One that was placed stays in hand until its end is reported.
pub(super) const WORDS: Words = Words {
    table: "dialer_queue",
    lock: "sender calls:",
    number: "phone",
    in_hand: "in_progress",
    sent: "in_progress",
    sent_at: "placed_at",
    provider_id: "provider_call_id",
    called_off: "skipped",
};

/// A call to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
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

/// Queues what is not queued yet, and answers the keys that this block holds, now or from an earlier delivery.
pub async fn queue(
    c: &mut PgConnection,
    tenant: TenantId,
    queuing: &Queuing<'_>,
    calls: &[Call],
) -> Result<HashSet<[u8; 32]>, sqlx::Error> {
    if calls.is_empty() {
        return Ok(HashSet::new());
    }
    let made = sqlx::query(
        "insert into dialer_queue (tenant_id, run_id, block_id, campaign_id, context, id, send_key, lead_id, phone,
                                   contact_name, company_name, priority, attempt_number, time_zone)
         select $1, $2, $3, $4, $5, unnest($6::text[]), unnest($7::bytea[]), unnest($8::text[]), unnest($9::text[]),
                unnest($10::text[]), unnest($11::text[]), unnest($12::smallint[]), unnest($13::int[]),
                unnest($14::text[])
         on conflict (tenant_id, send_key) do nothing",
    )
    .bind(tenant)
    .bind(queuing.run)
    .bind(queuing.block)
    .bind(queuing.campaign)
    .bind(queuing.context.as_str())
    .bind(calls.iter().map(|call| call.id).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| &call.send_key[..]).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.lead_id).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.phone.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.contact_name.as_deref()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.company_name.as_deref()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.priority).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| i32::try_from(call.attempt_number).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.time_zone).collect::<Vec<_>>())
    .execute(&mut *c)
    .await?;
    if made.rows_affected() == calls.len() as u64 {
        return Ok(calls.iter().map(|call| call.send_key).collect());
    }
    let held: Vec<Vec<u8>> = sqlx::query_scalar(
        "select held.send_key from unnest($2::bytea[]) as asked (send_key)
          cross join lateral (select send_key, block_id from dialer_queue
                               where tenant_id = $1 and send_key = asked.send_key offset 0) as held
          where held.block_id = $3",
    )
    .bind(tenant)
    .bind(calls.iter().map(|call| &call.send_key[..]).collect::<Vec<_>>())
    .bind(queuing.block)
    .fetch_all(c)
    .await?;
    Ok(held.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

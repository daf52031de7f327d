//! Table `attempt_logs`: every attempt to reach a lead, one row a queued message or call, from the queue to the answer.
//!
//! An attempt has the ULID of its message or call under a prefix of its own: it is found from there by its primary key.

pub mod due;
pub mod list;
mod outcome;

use std::collections::HashMap;

use luci_schema::{LeadId, Micros, RunId, TenantId};
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

pub use outcome::{Report, approved, cancelled, failed, reported, responded, sent};

use super::sms_queue::Queuing;
use crate::lead::{
    channel::Channel,
    retarget::{History, Rules},
};

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub lead_id: LeadId,
    /// The `msg_` or `call_` id of the queue's row.
    pub queue_id: String,
    pub channel: Channel,
    /// Of the campaign.
    pub number: u32,
    /// Whether a person must approve it first.
    pub approval_required: bool,
    pub auto_retarget: bool,
    /// What retargets after this attempt go by.
    pub rules: Rules,
    pub template: Option<String>,
    pub template_version: Option<u32>,
    pub segments: Option<u16>,
}

/// Records attempts as queued, in the transaction that queued them. Recording one again changes nothing. Attempts of
/// other campaigns at the same lead, and earlier ones of this, are counted as previous.
pub async fn record(
    c: &mut PgConnection,
    tenant: TenantId,
    queuing: &Queuing<'_>,
    campaign_name: Option<&str>,
    attempts: &[Attempt],
) -> Result<(), sqlx::Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into attempt_logs (tenant_id, run_id, block_id, campaign_id, campaign_name, context, template_category,
                                   agent, scheduled_at, id, lead_id, queue_id, channel, approval_required,
                                   attempt_number, auto_retarget, template_id, template_version, segments,
                                   retarget_threshold, retarget_max, retarget_hours, previous_attempts)
         select $1, $2, $3, $4, $5, $6, $7, $8, now(), 'att_' || split_part(new.queue_id, '_', 2), new.*,
                (select count(*) from (select campaign_id, channel, attempt_number from attempt_logs
                                        where tenant_id = $1 and lead_id = new.lead_id
                                        -- The order makes the index by lead the only plan, also while the table is new.
                                        order by created_at desc limit 1000) as old
                  where old.campaign_id <> $4
                     or (old.channel = new.channel and old.attempt_number < new.attempt_number))
           from (select unnest($9::text[]) as lead_id, unnest($10::text[]) as queue_id, unnest($11::text[]) as channel,
                        unnest($12::bool[]), unnest($13::int[]) as attempt_number, unnest($14::bool[]),
                        unnest($15::text[]), unnest($16::int[]), unnest($17::smallint[]), unnest($18::int[]),
                        unnest($19::int[]), unnest($20::int[])) as new
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(queuing.run)
    .bind(queuing.block)
    .bind(queuing.campaign)
    .bind(campaign_name)
    .bind(queuing.context.as_str())
    .bind(queuing.category())
    .bind(queuing.agent)
    .bind(attempts.iter().map(|a| a.lead_id).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.queue_id.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.channel.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.approval_required).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.number)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.auto_retarget).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.template.as_deref()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.template_version.map(number)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.segments.map(|n| i16::try_from(n).unwrap_or(i16::MAX))).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.threshold)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.max)).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| number(a.rules.hours)).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}

/// What a campaign did with a lead over one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// By other runs.
    pub history: History,
    /// The attempt number that this run gave the lead already.
    pub own: Option<u32>,
}

/// What a campaign did with these leads so far; `run`'s own attempts are told apart, so that repeating it changes nothing.
pub async fn past(
    c: &mut PgConnection,
    tenant: TenantId,
    campaign: &str,
    run: RunId,
    leads: &[LeadId],
) -> Result<HashMap<(LeadId, Channel), Past>, sqlx::Error> {
    // What failed or was called off reached nobody, but its number is used up.
    let rows = sqlx::query(
        "select asked.lead_id, past.channel, max(attempt_number) filter (where own) as own_number,
                coalesce(max(attempt_number) filter (where not own), 0) as last_number,
                count(*) filter (where not own and reached) as attempts,
                count(*) filter (where not own and reached and context = 'retarget') as retargets,
                coalesce(bool_or(contact_made), false) as contacted,
                max(coalesce(sent_at, created_at)) filter (where not own and reached) as last_at
           from unnest($4::text[]) as asked (lead_id)
          cross join lateral (select *, run_id = $3 as own, status not in ('failed', 'bounced', 'cancelled') as reached
                                from attempt_logs where tenant_id = $1 and lead_id = asked.lead_id and campaign_id = $2
                              offset 0) as past
          where past.channel in ('sms', 'call') group by 1, 2",
    )
    .bind(tenant)
    .bind(campaign)
    .bind(run)
    .bind(leads)
    .fetch_all(c)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        let count = |name: &str| row.try_get::<i64, _>(name).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let number = |n: i32| u32::try_from(n).unwrap_or(0);
        let channel = if row.try_get::<&str, _>("channel")? == "sms" { Channel::Sms } else { Channel::Call };
        let history = History {
            last_number: number(row.try_get("last_number")?),
            attempts: count("attempts")?,
            retargets: count("retargets")?,
            contacted: row.try_get("contacted")?,
            last_at: row.try_get::<Option<OffsetDateTime>, _>("last_at")?.map(Micros::from),
        };
        let own = row.try_get::<Option<i32>, _>("own_number")?.map(number);
        found.insert((row.try_get("lead_id")?, channel), Past { history, own });
    }
    Ok(found)
}

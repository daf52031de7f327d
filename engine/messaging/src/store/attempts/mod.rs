//! Table `attempt_logs`: every attempt to reach a lead, one row per queued message or call, from queueing to the reply.
//!
//! The id of an attempt is derived from the id of its send ([`SendId::attempt_id`]), so a send finds it by primary key.

pub mod list;
pub mod retargets_due;
mod table;

use std::collections::HashMap;

use luci_schema::{LeadId, Micros, RunId, TenantId};
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use crate::rules::{
    channel::Channel,
    retarget::{CampaignHistory, RetargetRules},
    send_id::SendId,
};

pub use crate::store::attempts::table::{approved, cancelled, failed, record, reported, responded, sent};

/// An attempt to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    pub lead_id: LeadId,
    /// The row of the queue; says the channel, too.
    pub send_id: SendId,
    /// Of the campaign.
    pub number: u32,
    /// Whether a person must approve it first.
    pub approval_required: bool,
    pub auto_retarget: bool,
    /// The rules of retargets after this attempt.
    pub rules: RetargetRules,
    pub template: Option<String>,
    pub template_version: Option<u32>,
    pub segments: Option<u16>,
}

/// A campaign's attempts at a lead over one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeadHistory {
    /// Of other runs.
    pub history: CampaignHistory,
    /// The attempt number that this run has given the lead already.
    pub own_number: Option<u32>,
}

/// A campaign's attempts at these leads so far. Attempts of `run` are kept apart, so that repeating the run is idempotent.
pub async fn history(
    c: &mut PgConnection,
    tenant: TenantId,
    campaign: &str,
    run: RunId,
    leads: &[LeadId],
) -> Result<HashMap<(LeadId, Channel), LeadHistory>, sqlx::Error> {
    // A failed or cancelled attempt does not count as contact, but its number is used up.
    let rows = sqlx::query(
        "select wanted.lead_id, past.channel, max(attempt_number) filter (where own) as own_number,
                coalesce(max(attempt_number) filter (where not own), 0) as last_number,
                count(*) filter (where not own and reached) as attempts,
                count(*) filter (where not own and reached and context = 'retarget') as retargets,
                coalesce(bool_or(contact_made), false) as contacted,
                max(coalesce(sent_at, created_at)) filter (where not own and reached) as last_at
           from unnest($4::text[]) as wanted (lead_id)
          cross join lateral (select *, run_id = $3 as own, status not in ('failed', 'bounced', 'cancelled') as reached
                                from attempt_logs where tenant_id = $1 and lead_id = wanted.lead_id and campaign_id = $2
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
        let channel: Channel =
            row.try_get::<&str, _>("channel")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let history = CampaignHistory {
            last_number: number(row.try_get("last_number")?),
            attempts: count("attempts")?,
            retargets: count("retargets")?,
            contacted: row.try_get("contacted")?,
            last_at: row.try_get::<Option<OffsetDateTime>, _>("last_at")?.map(Micros::from),
        };
        let own_number = row.try_get::<Option<i32>, _>("own_number")?.map(number);
        found.insert((row.try_get("lead_id")?, channel), LeadHistory { history, own_number });
    }
    Ok(found)
}

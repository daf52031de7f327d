//! How often a number was written to recently, over all campaigns.

use std::collections::HashMap;

use luci_schema::{BlockId, MessageId, TenantId};
use sqlx::PgConnection;

use crate::store::send_settings::FrequencyLimits;

/// Messages to a number, without the one that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recent {
    /// First attempts of other campaigns in 24 hours.
    pub first_contacts: i64,
    pub in_7_days: i64,
    pub in_30_days: i64,
}

impl Recent {
    /// Whether one more message is too many.
    pub fn forbids(self, attempt_number: u32, limits: FrequencyLimits) -> bool {
        (attempt_number == 1 && self.first_contacts > 0)
            || self.in_7_days >= i64::from(limits.weekly)
            || self.in_30_days >= i64::from(limits.monthly)
    }
}

/// What counts for the numbers when a block queues an attempt of a campaign: what was sent recently, what will be sent, and
/// drafts by their age, so that forgotten ones block nobody for long. Rows of this block do not count.
pub async fn queued_and_sent(
    c: &mut PgConnection,
    tenant: TenantId,
    numbers: &[&str],
    (block, campaign): (BlockId, &str),
) -> Result<HashMap<String, Recent>, sqlx::Error> {
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "select wanted.number,
                count(*) filter (where attempt_number = 1 and campaign_id <> $4 and at > now() - interval '24 hours'),
                count(*) filter (where at > now() - interval '7 days'), count(*)
           from (select distinct unnest($2::text[])) as wanted (number)
          cross join lateral (select campaign_id, attempt_number,
                                     case when status in ('approved', 'pending') then now()
                                          when status = 'draft' then created_at
                                          else coalesce(sent_at, claimed_at, updated_at) end as at
                                from sms_queue
                               where to_number = wanted.number and tenant_id = $1 and block_id <> $3
                                 and (status in ('draft', 'approved', 'pending', 'processing', 'sent')
                                      or (status = 'failed'
                                          and (provider_message_id is not null or error_code = 'unknown_outcome')))
                              offset 0) as message
          where at > now() - interval '30 days' group by 1",
    )
    .bind(tenant)
    .bind(numbers)
    .bind(block)
    .bind(campaign)
    .fetch_all(c)
    .await?;
    let recent =
        |(number, first_contacts, in_7_days, in_30_days)| (number, Recent { first_contacts, in_7_days, in_30_days });
    Ok(rows.into_iter().map(recent).collect())
}

/// What the sender asks about a message before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeforeSend {
    pub attempt_number: u32,
    pub recent: Recent,
    /// The same attempt of the same campaign went to the number already, for another lead.
    pub repeated: bool,
}

/// What was sent to the number of a message recently.
pub async fn before_send(c: &mut PgConnection, tenant: TenantId, id: MessageId) -> Result<BeforeSend, sqlx::Error> {
    let (attempt, first_contacts, in_7_days, in_30_days, repeated): (i32, i64, i64, i64, bool) = sqlx::query_as(
        "select q.attempt_number,
                count(*) filter (where other.attempt_number = 1 and other.campaign_id <> q.campaign_id
                                   and other.at > now() - interval '24 hours'),
                count(*) filter (where other.at > now() - interval '7 days'),
                count(*) filter (where other.at > now() - interval '30 days'),
                coalesce(bool_or(other.attempt_number = q.attempt_number and other.campaign_id = q.campaign_id), false)
           from sms_queue q
           left join lateral (select campaign_id, attempt_number, coalesce(sent_at, claimed_at, updated_at) as at
                                from sms_queue
                               where to_number = q.to_number and tenant_id = $1 and id <> q.id
                                 and (status in ('processing', 'sent')
                                      or (status = 'failed'
                                          and (provider_message_id is not null or error_code = 'unknown_outcome')))
                              offset 0) as other on true
          where q.tenant_id = $1 and q.id = $2 group by q.attempt_number",
    )
    .bind(tenant)
    .bind(id)
    .fetch_one(c)
    .await?;
    let recent = Recent { first_contacts, in_7_days, in_30_days };
    Ok(BeforeSend { attempt_number: u32::try_from(attempt).unwrap_or(1), recent, repeated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_contact_and_the_messages_of_a_week_and_a_month_are_limited() {
        let limits = FrequencyLimits { weekly: 3, monthly: 6 };
        let recent = |first_contacts, in_7_days, in_30_days| Recent { first_contacts, in_7_days, in_30_days };
        for (recent, attempt, forbidden) in [
            (recent(0, 0, 0), 1, false),
            (recent(1, 1, 1), 1, true),
            (recent(1, 1, 1), 2, false),
            (recent(0, 2, 5), 2, false),
            (recent(0, 3, 3), 2, true),
            (recent(0, 0, 6), 2, true),
        ] {
            assert_eq!(recent.forbids(attempt, limits), forbidden, "{recent:?} {attempt}");
        }
        assert!(recent(0, 0, 0).forbids(2, FrequencyLimits { weekly: 0, monthly: 6 }));
    }
}

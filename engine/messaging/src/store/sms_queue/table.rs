//! Every statement that writes table `sms_queue`.

use std::time::Duration;

use luci_schema::{LeadId, MessageId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};

use crate::{
    rules::carrier::Carrier,
    store::{
        claimed_send::{ClaimedSend, Release, SendContent},
        send_batch::{ApprovalMode, SendBatch},
        sms_queue::NewMessage,
    },
};

/// Returns how many send keys were new.
pub(super) async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    messages: &[NewMessage],
) -> Result<u64, sqlx::Error> {
    let status = match batch.mode {
        ApprovalMode::Draft => "draft",
        ApprovalMode::Immediate => "pending",
    };
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query(
        "insert into sms_queue (tenant_id, run_id, block_id, campaign_id, status, context, template_category, agent,
                                media_url, id, send_key, lead_id, to_number, body, priority, attempt_number,
                                template_id, template_version, segments, time_zones)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, unnest($10::text[]), unnest($11::bytea[]), unnest($12::text[]),
                unnest($13::text[]), unnest($14::text[]), unnest($15::smallint[]), unnest($16::int[]),
                unnest($17::text[]), unnest($18::int[]), unnest($19::smallint[]),
                string_to_array(unnest($20::text[]), ' ')
         on conflict (tenant_id, send_key) do nothing",
    )
    .bind(tenant)
    .bind(batch.run)
    .bind(batch.block)
    .bind(batch.campaign)
    .bind(status)
    .bind(batch.context.as_str())
    .bind(batch.category())
    .bind(batch.agent)
    .bind(batch.media_url)
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
    .bind(messages.iter().map(|m| m.time_zones.join(" ")).collect::<Vec<_>>())
    .execute(c)
    .await
    .map(|done| done.rows_affected())
}

/// Makes a message approved, with a new text and its segments where there is one.
pub(super) async fn approve(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    text: Option<(&str, i16)>,
    by: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue
                  set status = 'approved', body = coalesce($3, body), segments = coalesce($4, segments), attempts = 0,
                      error_code = null, claimed_at = null, approved_by = $5, approved_at = now(), updated_at = now()
                where tenant_id = $1 and id = $2";
    let (body, segments) = text.unzip();
    sqlx::query(sql).bind(tenant).bind(id).bind(body).bind(segments).bind(by).execute(c).await.map(drop)
}

pub(super) async fn reject(c: &mut PgConnection, tenant: TenantId, id: MessageId) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue set status = 'rejected', updated_at = now() where tenant_id = $1 and id = $2";
    sqlx::query(sql).bind(tenant).bind(id).execute(c).await.map(drop)
}

/// Records the zones of a message that was queued before they were recorded.
pub async fn set_zones(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    zones: &[String],
) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue set time_zones = $3 where tenant_id = $1 and id = $2 and time_zones is null";
    sqlx::query(sql).bind(tenant).bind(id).bind(zones).execute(c).await.map(drop)
}

/// Makes approved messages pending.
pub async fn release_approved(c: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    let sql =
        "update sms_queue set status = 'pending', updated_at = now() where tenant_id = $1 and status = 'approved'";
    sqlx::query(sql).bind(tenant).execute(c).await.map(drop)
}

pub(in crate::store) async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    (carrier, from): (Carrier, &str),
) -> Result<ClaimedSend, sqlx::Error> {
    let sql = "update sms_queue
                  set status = 'processing', claim = claim + 1, claimed_at = clock_timestamp(), attempts = attempts + 1,
                      provider = $3, from_number = $4, updated_at = now()
                where tenant_id = $1 and id = $2 returning *";
    let row = sqlx::query(sql).bind(tenant).bind(id).bind(carrier.as_str()).bind(from).fetch_one(c).await?;
    read_claimed(&row)
}

/// Claims one that was claimed before `after` and has no provider id.
pub(in crate::store) async fn claim_abandoned(
    c: &mut PgConnection,
    tenant: TenantId,
    after: Duration,
) -> Result<Option<ClaimedSend>, sqlx::Error> {
    let sql = "update sms_queue q set claim = q.claim + 1, claimed_at = now(), updated_at = now()
                 from (select id from sms_queue
                        where tenant_id = $1 and status = 'processing' and provider_message_id is null
                          and claimed_at < now() - make_interval(secs => $2)
                        limit 1 for update skip locked) as old
                where q.tenant_id = $1 and q.id = old.id
               returning q.*";
    let row = sqlx::query(sql).bind(tenant).bind(after.as_secs_f64()).fetch_optional(c).await?;
    row.map(|row| read_claimed(&row)).transpose()
}

fn read_claimed(row: &PgRow) -> Result<ClaimedSend, sqlx::Error> {
    let id: MessageId = row.try_get("id")?;
    let content = SendContent::Message { body: row.try_get("body")?, media_url: row.try_get("media_url")? };
    ClaimedSend::read(row, id.into(), "to_number", content)
}

/// Not fenced by the claim: that the provider accepted the message is a fact. The first provider id stays.
pub(in crate::store) async fn accepted(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    provider_id: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue
                  set status = 'sent', sent_at = now(), provider_message_id = $3, error_code = null, updated_at = now()
                where tenant_id = $1 and id = $2 and status in ('processing', 'failed', 'cancelled')
                  and provider_message_id is null";
    sqlx::query(sql).bind(tenant).bind(id).bind(provider_id).execute(c).await.map(drop)
}

/// False: the row is no longer under this claim.
pub(in crate::store) async fn release(
    c: &mut PgConnection,
    tenant: TenantId,
    (id, claim): (MessageId, i64),
    release: Release<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update sms_queue
            set status = $4, error_code = $5, scheduled_at = now() + make_interval(secs => $6),
                attempts = attempts - $7, claimed_at = case when $4 = 'pending' then null else claimed_at end,
                updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'processing' and provider_message_id is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(claim)
    .bind(release.status.as_str())
    .bind(release.code)
    .bind(release.wait.as_secs_f64())
    .bind(release.uncounted)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False: the row is no longer under this claim.
pub(in crate::store) async fn hold_unknown(
    c: &mut PgConnection,
    tenant: TenantId,
    (id, claim): (MessageId, i64),
) -> Result<bool, sqlx::Error> {
    let sql = "update sms_queue set status = 'failed', error_code = 'unknown_outcome', updated_at = now()
                where tenant_id = $1 and id = $2 and claim = $3 and status = 'processing'
                  and provider_message_id is null";
    let done = sqlx::query(sql).bind(tenant).bind(id).bind(claim).execute(c).await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::store) async fn cancel(
    c: &mut PgConnection,
    tenant: TenantId,
    id: MessageId,
    code: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue set status = 'cancelled', error_code = $3, updated_at = now()
                where tenant_id = $1 and id = $2 and status in ('draft', 'approved', 'pending')";
    sqlx::query(sql).bind(tenant).bind(id).bind(code).execute(c).await.map(drop)
}

/// Cancels what is queued for the number or the leads, drafts included. Returns the ids.
pub async fn cancel_for(
    c: &mut PgConnection,
    tenant: TenantId,
    (number, leads): (&str, &[LeadId]),
    code: &str,
) -> Result<Vec<MessageId>, sqlx::Error> {
    let sql = "update sms_queue set status = 'cancelled', error_code = $4, updated_at = now()
                where tenant_id = $1 and (to_number = $2 or lead_id = any($3))
                  and status in ('draft', 'approved', 'pending')
               returning id";
    sqlx::query_scalar(sql).bind(tenant).bind(number).bind(leads).bind(code).fetch_all(c).await
}

/// Gives the oldest message to this number with unknown outcome the provider id of a report: it was sent after all.
/// Returns the message and its provider.
pub async fn identify(
    c: &mut PgConnection,
    tenant: TenantId,
    to: &str,
    provider_id: &str,
) -> Result<Option<(MessageId, Option<String>)>, sqlx::Error> {
    sqlx::query_as(
        "update sms_queue set status = 'sent', provider_message_id = $3, error_code = null,
                              sent_at = coalesce(sent_at, claimed_at, now()), updated_at = now()
          where tenant_id = $1
            and not exists (select from sms_queue where provider_message_id = $3 and tenant_id = $1)
            and id = (select id from sms_queue where to_number = $2 and tenant_id = $1 and status = 'failed'
                         and error_code = 'unknown_outcome' order by claimed_at limit 1)
         returning id, provider",
    )
    .bind(tenant)
    .bind(to)
    .bind(provider_id)
    .fetch_optional(c)
    .await
}

/// The provider accepted the message but could not deliver it.
pub async fn undelivered(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    code: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update sms_queue set status = 'failed', error_code = $3, updated_at = now()
                where tenant_id = $1 and provider_message_id = $2 and status = 'sent'";
    sqlx::query(sql).bind(tenant).bind(provider_id).bind(code).execute(c).await.map(drop)
}

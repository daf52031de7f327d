//! Every statement that writes table `dialer_queue`. A placed call stays `in_progress` until its end is reported.

use std::time::Duration;

use luci_schema::{CallId, LeadId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};

use crate::{
    rules::{carrier::Carrier, delivery_status::CallResult},
    store::{
        claimed_send::{ClaimedSend, Release, SendContent},
        dialer_queue::NewCall,
        send_batch::SendBatch,
    },
};

/// Returns how many send keys were new.
pub(super) async fn insert(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: &SendBatch<'_>,
    calls: &[NewCall],
) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "insert into dialer_queue (tenant_id, run_id, block_id, campaign_id, context, id, send_key, lead_id, phone,
                                   extension, contact_name, company_name, priority, attempt_number, time_zones)
         select $1, $2, $3, $4, $5, unnest($6::text[]), unnest($7::bytea[]), unnest($8::text[]), unnest($9::text[]),
                unnest($10::text[]), unnest($11::text[]), unnest($12::text[]), unnest($13::smallint[]),
                unnest($14::int[]), string_to_array(unnest($15::text[]), ' ')
         on conflict (tenant_id, send_key) do nothing",
    )
    .bind(tenant)
    .bind(batch.run)
    .bind(batch.block)
    .bind(batch.campaign)
    .bind(batch.context.as_str())
    .bind(calls.iter().map(|call| call.id).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| &call.send_key[..]).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.lead_id).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.phone.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.extension.as_deref()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.contact_name.as_deref()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.company_name.as_deref()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.priority).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| i32::try_from(call.attempt_number).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.time_zones.join(" ")).collect::<Vec<_>>())
    .execute(c)
    .await
    .map(|done| done.rows_affected())
}

/// Records the zones of a call that was queued before they were recorded.
pub async fn set_zones(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    zones: &[String],
) -> Result<(), sqlx::Error> {
    let sql = "update dialer_queue set time_zones = $3 where tenant_id = $1 and id = $2 and time_zones is null";
    sqlx::query(sql).bind(tenant).bind(id).bind(zones).execute(c).await.map(drop)
}

pub(in crate::store) async fn claim(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    (carrier, from): (Carrier, &str),
) -> Result<ClaimedSend, sqlx::Error> {
    let sql = "update dialer_queue
                  set status = 'in_progress', claim = claim + 1, claimed_at = clock_timestamp(),
                      attempts = attempts + 1, provider = $3, from_number = $4, updated_at = now()
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
    let sql = "update dialer_queue q set claim = q.claim + 1, claimed_at = now(), updated_at = now()
                 from (select id from dialer_queue
                        where tenant_id = $1 and status = 'in_progress' and provider_call_id is null
                          and claimed_at < now() - make_interval(secs => $2)
                        limit 1 for update skip locked) as old
                where q.tenant_id = $1 and q.id = old.id
               returning q.*";
    let row = sqlx::query(sql).bind(tenant).bind(after.as_secs_f64()).fetch_optional(c).await?;
    row.map(|row| read_claimed(&row)).transpose()
}

fn read_claimed(row: &PgRow) -> Result<ClaimedSend, sqlx::Error> {
    let id: CallId = row.try_get("id")?;
    ClaimedSend::read(row, id.into(), "phone", SendContent::Call { extension: row.try_get("extension")? })
}

/// Not fenced by the claim: that the provider accepted the call is a fact. The first provider id stays.
pub(in crate::store) async fn accepted(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    provider_id: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update dialer_queue
                  set status = 'in_progress', placed_at = now(), provider_call_id = $3, error_code = null,
                      updated_at = now()
                where tenant_id = $1 and id = $2 and status in ('in_progress', 'failed', 'skipped')
                  and provider_call_id is null";
    sqlx::query(sql).bind(tenant).bind(id).bind(provider_id).execute(c).await.map(drop)
}

/// False: the row is no longer under this claim.
pub(in crate::store) async fn release(
    c: &mut PgConnection,
    tenant: TenantId,
    (id, claim): (CallId, i64),
    release: Release<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update dialer_queue
            set status = $4, error_code = $5, scheduled_at = now() + make_interval(secs => $6),
                attempts = attempts - $7, claimed_at = case when $4 = 'pending' then null else claimed_at end,
                updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = 'in_progress' and provider_call_id is null",
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
    (id, claim): (CallId, i64),
) -> Result<bool, sqlx::Error> {
    let sql = "update dialer_queue set status = 'failed', error_code = 'unknown_outcome', updated_at = now()
                where tenant_id = $1 and id = $2 and claim = $3 and status = 'in_progress'
                  and provider_call_id is null";
    let done = sqlx::query(sql).bind(tenant).bind(id).bind(claim).execute(c).await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::store) async fn cancel(
    c: &mut PgConnection,
    tenant: TenantId,
    id: CallId,
    code: &str,
) -> Result<(), sqlx::Error> {
    let sql = "update dialer_queue set status = 'skipped', error_code = $3, updated_at = now()
                where tenant_id = $1 and id = $2 and status = 'pending'";
    sqlx::query(sql).bind(tenant).bind(id).bind(code).execute(c).await.map(drop)
}

/// Cancels what is queued for the number or the leads. Returns the ids.
pub async fn cancel_for(
    c: &mut PgConnection,
    tenant: TenantId,
    (number, leads): (&str, &[LeadId]),
    code: &str,
) -> Result<Vec<CallId>, sqlx::Error> {
    let sql = "update dialer_queue set status = 'skipped', error_code = $4, updated_at = now()
                where tenant_id = $1 and (phone = $2 or lead_id = any($3)) and status = 'pending' returning id";
    sqlx::query_scalar(sql).bind(tenant).bind(number).bind(leads).bind(code).fetch_all(c).await
}

/// Records how a placed call ended.
pub async fn ended(
    c: &mut PgConnection,
    tenant: TenantId,
    provider_id: &str,
    result: CallResult,
) -> Result<(), sqlx::Error> {
    let sql = "update dialer_queue set status = $3, updated_at = now()
                where tenant_id = $1 and provider_call_id = $2 and status = 'in_progress'";
    sqlx::query(sql).bind(tenant).bind(provider_id).bind(result.as_str()).execute(c).await.map(drop)
}

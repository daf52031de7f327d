//! Tables `trace_batches` and `trace_leads`: leads submitted to a provider that posts their answers, and the state of each.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use luci_config::vault::{Purpose, Sealed, Vault, VaultError};
use luci_schema::{ArtifactId, BlockId, Hash, KeyId, LeadId, Micros, RunId, Stage, TenantId};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    answer::LookupContext,
    apis::realestate,
    error::ProviderError,
    name::ProviderName,
    no_answer::NoAnswer,
    results::{self, PaidAnswer, PaidCall},
};

/// The provider of all batches: the tables have no provider column.
pub const PROVIDER: ProviderName = ProviderName::REALESTATE;

/// A batch to be submitted.
pub struct NewBatch<'a> {
    pub id: KeyId,
    pub run: RunId,
    pub block: BlockId,
    pub attempt: u32,
    /// SHA-256 of the token in its webhook address.
    pub secret_hash: Hash,
    /// The key that the provider signs with.
    pub signing_key: &'a SecretString,
    /// Price per match.
    pub price_micros: u64,
    /// From the recording to the deadline.
    pub timeout: Duration,
}

/// Records a batch with the queries that no other open batch has; returns their leads.
pub async fn insert(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    vault: &Vault,
    new: &NewBatch<'_>,
    keys: &[(LeadId, &str)],
) -> Result<HashSet<LeadId>, VaultError> {
    let (tenant, root_run) = (context.tenant, context.root_run);
    let sealed = vault.seal(c, tenant, Purpose::Webhook(&new.id.to_string()), new.signing_key).await?;
    sqlx::query(
        "insert into trace_batches (tenant_id, id, root_run_id, run_id, block_id, attempt, release, secret_hash,
                                    signing_sealed, signing_key_version, price_micros, deadline)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + make_interval(secs => $12))",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(root_run)
    .bind(new.run)
    .bind(new.block)
    .bind(i32::try_from(new.attempt).unwrap_or(i32::MAX))
    .bind(context.release)
    .bind(&new.secret_hash[..])
    .bind(&sealed.bytes[..])
    .bind(sealed.key_version)
    .bind(i64::try_from(new.price_micros).unwrap_or(i64::MAX))
    .bind(new.timeout.as_secs_f64())
    .execute(&mut *c)
    .await?;
    let (leads, digests): (Vec<LeadId>, Vec<&str>) = keys.iter().copied().unzip();
    // A query in a closed batch may be submitted again.
    sqlx::query(
        "update trace_leads t set awaited = false from unnest($3::text[]) as asked (lead_id), trace_batches b
          where t.lead_id = asked.lead_id and t.root_run_id = $2 and t.tenant_id = $1 and t.awaited
            and b.tenant_id = t.tenant_id and b.id = t.batch_id and not trace_is_open(b.deadline, b.completed_at)",
    )
    .bind(tenant)
    .bind(root_run)
    .bind(&leads)
    .execute(&mut *c)
    .await?;
    let inserted: Vec<LeadId> = sqlx::query_scalar(
        "insert into trace_leads (tenant_id, batch_id, lead_id, root_run_id, request_digest)
         select $1, $2, lead_id, $3, request_digest from unnest($4::text[], $5::text[]) as asked (lead_id, request_digest)
          order by lead_id on conflict do nothing returning lead_id",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(root_run)
    .bind(&leads)
    .bind(digests)
    .fetch_all(c)
    .await?;
    Ok(inserted.into_iter().collect())
}

/// Deletes a batch that the provider certainly did not accept.
pub async fn withdraw(c: &mut PgConnection, tenant: TenantId, id: KeyId) -> Result<(), sqlx::Error> {
    let sql = "delete from trace_batches where tenant_id = $1 and id = $2";
    sqlx::query(sql).bind(tenant).bind(id).execute(c).await.map(drop)
}

/// Deletes batches whose deadline passed a month ago; returns their number. Their answers stay in `provider_results`.
pub async fn delete_old(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let sql = "delete from trace_batches where deadline < now() - interval '30 days'";
    Ok(sqlx::query(sql).execute(c).await?.rows_affected())
}

/// The state of a submitted query.
#[derive(Debug, Clone)]
pub struct BatchedLead {
    pub lead: LeadId,
    pub digest: String,
    pub batch: KeyId,
    /// Submitted by the release that reads it.
    pub own: bool,
    /// Its answer may still come.
    pub awaited: bool,
    pub failure: Option<NoAnswer>,
    /// The provider reported that it posted every item of the batch.
    pub completed: bool,
}

/// All queries of these leads that the lineage submitted.
pub async fn of_leads(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    leads: &[LeadId],
) -> Result<Vec<BatchedLead>, sqlx::Error> {
    let rows = sqlx::query(
        "select t.lead_id, t.request_digest, t.batch_id, b.release = $4,
                t.awaited and trace_is_open(b.deadline, b.completed_at), t.failure::text, b.completed_at is not null
           from (select distinct lead_id from unnest($3::text[]) as asked (lead_id)) as asked
          cross join lateral (select * from trace_leads
                               where lead_id = asked.lead_id and root_run_id = $2 and tenant_id = $1 offset 0) as t
           join trace_batches b on b.tenant_id = t.tenant_id and b.id = t.batch_id",
    )
    .bind(context.tenant)
    .bind(context.root_run)
    .bind(leads)
    .bind(context.release)
    .fetch_all(c)
    .await?;
    rows.iter().map(batched_lead).collect()
}

fn batched_lead(row: &PgRow) -> Result<BatchedLead, sqlx::Error> {
    let (lead, batch): (LeadId, KeyId) = (row.try_get(0)?, row.try_get(2)?);
    let failure: Option<&str> = row.try_get(5)?;
    // If the failure cannot be decoded, the lead is still unanswered and is not submitted again.
    let failure = failure.and_then(|text| NoAnswer::decode(text, lead, batch));
    Ok(BatchedLead {
        lead,
        digest: row.try_get(1)?,
        batch,
        own: row.try_get(3)?,
        awaited: row.try_get(4)?,
        failure,
        completed: row.try_get(6)?,
    })
}

/// Whether an answer may still come for one of these batches.
pub async fn any_awaited(c: &mut PgConnection, tenant: TenantId, batches: &[KeyId]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from trace_leads t join trace_batches b on b.tenant_id = t.tenant_id and b.id = t.batch_id
                         where t.tenant_id = $1 and t.batch_id = any($2) and t.awaited
                           and trace_is_open(b.deadline, b.completed_at))",
    )
    .bind(tenant)
    .bind(batches)
    .fetch_one(c)
    .await
}

/// Closes the release's batches: answers that arrive later are charged to the release that uses them.
pub async fn close(c: &mut PgConnection, tenant: TenantId, release: ArtifactId) -> Result<(), sqlx::Error> {
    let sql = "update trace_batches set closed_at = now() where tenant_id = $1 and release = $2 and closed_at is null";
    sqlx::query(sql).bind(tenant).bind(release).execute(c).await.map(drop)
}

/// The batch of a webhook address.
#[derive(Debug)]
pub struct WebhookBatch {
    pub batch: KeyId,
    pub tenant: TenantId,
    pub run: RunId,
    pub block: BlockId,
    pub attempt: u32,
    pub signing_key: SecretString,
}

/// The batch whose token has this hash; looked up without a tenant, since it finds the tenant.
pub async fn find_by_token_hash(
    c: &mut PgConnection,
    vault: &Vault,
    hash: &Hash,
) -> Result<Option<WebhookBatch>, VaultError> {
    let row = sqlx::query(
        "select b.tenant_id, b.id, run_id, block_id, attempt, signing_sealed, signing_key_version
           from trace_batches b join tenants t on t.id = b.tenant_id and t.status = 'active'
          where secret_hash = $1",
    )
    .bind(&hash[..])
    .fetch_optional(&mut *c)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (tenant, batch): (TenantId, KeyId) = (row.try_get(0)?, row.try_get(1)?);
    let sealed = Sealed { bytes: row.try_get(5)?, key_version: row.try_get(6)? };
    let signing_key = vault.open(c, tenant, Purpose::Webhook(&batch.to_string()), &sealed).await?;
    let attempt: i32 = row.try_get(4)?;
    let (run, block) = (row.try_get(2)?, row.try_get(3)?);
    Ok(Some(WebhookBatch { batch, tenant, run, block, attempt: attempt.unsigned_abs(), signing_key }))
}

/// Stores an item that was posted to a batch's address. Call it in a transaction: the batch's lock lasts until its commit. An
/// item without a lead of the batch changes nothing, nor does a failure after an answer. An answer is stored also after a
/// failure or the deadline, since it is paid for; the same one again changes nothing.
pub async fn store_item(c: &mut PgConnection, tenant: TenantId, batch: KeyId, item: &Value) -> Result<(), sqlx::Error> {
    let Ok((lead, outcome)) = realestate::async_item(item) else {
        tracing::warn!(tenant.id = %tenant, batch.id = %batch, "posted item ignored: it names no lead");
        return Ok(());
    };
    // Lock the batch until commit, so that `close` either sees this answer or happens before.
    let row = sqlx::query(
        "select root_run_id, price_micros, case when closed_at is null then release end from trace_batches
          where tenant_id = $1 and id = $2 for share",
    )
    .bind(tenant)
    .bind(batch)
    .fetch_one(&mut *c)
    .await?;
    let root_run: RunId = row.try_get(0)?;
    let price: i64 = row.try_get(1)?;
    let found = match outcome {
        Ok(found) => found,
        Err(error) => return fail(c, tenant, batch, lead, error).await,
    };
    let sql = "update trace_leads set awaited = false, failure = null
                where tenant_id = $1 and batch_id = $2 and lead_id = $3 returning request_digest";
    let digest: Option<String> =
        sqlx::query_scalar(sql).bind(tenant).bind(batch).bind(lead).fetch_optional(&mut *c).await?;
    let Some(request_digest) = digest else { return Ok(()) };
    let cost_micros = if found.is_some() { price.unsigned_abs() } else { 0 };
    let outcome = serde_json::to_string(&found).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let paid = PaidAnswer { lead_id: lead, request_digest, outcome, cost_micros, paid_by: row.try_get(2)? };
    let (stage, provider) = (Stage::SkipTrace, PROVIDER.as_str());
    let answers = vec![paid];
    let call = PaidCall { id: None, tenant, root_run, stage, provider, unanswered: 0, answers };
    results::store(c, &[&call]).await.map(drop)
}

async fn fail(
    c: &mut PgConnection,
    tenant: TenantId,
    batch: KeyId,
    lead: LeadId,
    error: ProviderError,
) -> Result<(), sqlx::Error> {
    let failure =
        serde_json::to_string(&NoAnswer::from(error)).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let sql = "update trace_leads set awaited = false, failure = $4::json
                where tenant_id = $1 and batch_id = $2 and lead_id = $3 and awaited";
    sqlx::query(sql).bind(tenant).bind(batch).bind(lead).bind(failure).execute(c).await.map(drop)
}

/// Marks the batch complete: the provider reports that it posted every item.
pub async fn complete(c: &mut PgConnection, tenant: TenantId, batch: KeyId) -> Result<(), sqlx::Error> {
    let sql = "update trace_batches set completed_at = now() where tenant_id = $1 and id = $2 and completed_at is null";
    sqlx::query(sql).bind(tenant).bind(batch).execute(c).await.map(drop)
}

/// What a run waits for: since its first open batch, until the last deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub since: Micros,
    pub until: Micros,
}

/// Which of these runs wait for answers of submitted leads.
pub async fn waits(
    c: &mut PgConnection,
    tenant: TenantId,
    runs: &[RunId],
) -> Result<HashMap<RunId, Wait>, sqlx::Error> {
    let rows: Vec<(RunId, OffsetDateTime, OffsetDateTime)> = sqlx::query_as(
        "select run_id, min(created_at), max(deadline) from trace_batches b
          where tenant_id = $1 and run_id = any($2) and closed_at is null and trace_is_open(deadline, completed_at)
            and exists (select from trace_leads t where t.tenant_id = b.tenant_id and t.batch_id = b.id and t.awaited)
          group by run_id",
    )
    .bind(tenant)
    .bind(runs)
    .fetch_all(c)
    .await?;
    Ok(rows.into_iter().map(|(run, since, until)| (run, Wait { since: since.into(), until: until.into() })).collect())
}

//! Table `provider_results`: every paid answer, by lineage, stage, lead and request digest.

use luci_schema::{ArtifactId, LeadId, RunId, Stage, TenantId};
use sqlx::{PgConnection, Row};

/// One stored answer; `outcome` is the JSON of the match, or `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidAnswer {
    pub lead_id: LeadId,
    pub request_digest: String,
    pub outcome: String,
    pub cost_micros: u64,
    /// The release of the block that paid; `None` while an answer that arrived after its block had ended is unused.
    pub paid_by: Option<ArtifactId>,
}

/// All answers of this lineage for these leads in this stage.
pub async fn of_leads(
    c: &mut PgConnection,
    tenant: TenantId,
    root_run: RunId,
    stage: Stage,
    leads: &[LeadId],
) -> Result<Vec<PaidAnswer>, sqlx::Error> {
    let rows = sqlx::query(
        "select paid.lead_id, request_digest, outcome::text, cost_micros, paid_by
           from unnest($4::text[]) as asked (lead_id)
          -- Row by row: with `= any`, a plan that was made while the table was small reads the whole run's answers each time.
          cross join lateral (select * from provider_results
                               where tenant_id = $1 and root_run_id = $2 and stage = $3 and lead_id = asked.lead_id
                              offset 0) as paid",
    )
    .bind(tenant)
    .bind(root_run)
    .bind(stage.as_str())
    .bind(leads)
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PaidAnswer {
                lead_id: row.try_get("lead_id")?,
                request_digest: row.try_get("request_digest")?,
                outcome: row.try_get("outcome")?,
                // Checked by the table.
                cost_micros: u64::try_from(row.try_get::<i64, _>("cost_micros")?).unwrap_or(0),
                paid_by: row.try_get("paid_by")?,
            })
        })
        .collect()
}

/// The answers of one call, and their lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidCall {
    pub tenant: TenantId,
    pub root_run: RunId,
    pub stage: Stage,
    pub provider: &'static str,
    pub answers: Vec<PaidAnswer>,
}

/// Stores the answers of calls, no two of which may have the same key. An answer that another block of the lineage stored
/// meanwhile is kept, and the second cost is added to `paid_again_micros`. Idempotent for one release.
pub async fn store(c: &mut PgConnection, calls: &[&PaidCall]) -> Result<(), sqlx::Error> {
    let mut rows: Vec<(&PaidCall, &PaidAnswer)> =
        calls.iter().flat_map(|call| call.answers.iter().map(|paid| (*call, paid))).collect();
    // Always in one order, so that two processes cannot deadlock.
    rows.sort_unstable_by_key(|(_, paid)| (paid.lead_id, &paid.request_digest));
    let cost = |paid: &PaidAnswer| i64::try_from(paid.cost_micros).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into provider_results as kept (tenant_id, root_run_id, stage, provider, paid_by,
                                       lead_id, request_digest, outcome, cost_micros)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
                unnest($6::text[]), unnest($7::text[]), unnest($8::text[])::json, unnest($9::bigint[])
         on conflict (lead_id, stage, root_run_id, tenant_id, request_digest) do update
            set paid_again_micros = kept.paid_again_micros + excluded.cost_micros
          where kept.paid_by is distinct from excluded.paid_by and excluded.cost_micros > 0",
    )
    .bind(rows.iter().map(|(call, _)| call.tenant).collect::<Vec<_>>())
    .bind(rows.iter().map(|(call, _)| call.root_run).collect::<Vec<_>>())
    .bind(rows.iter().map(|(call, _)| call.stage.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(call, _)| call.provider).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, paid)| paid.paid_by).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, paid)| paid.lead_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, paid)| paid.request_digest.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, paid)| paid.outcome.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, paid)| cost(paid)).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}

/// This release pays for the answers that nobody has paid for: they arrived after their block had ended.
pub async fn adopt(
    c: &mut PgConnection,
    (tenant, root_run): (TenantId, RunId),
    stage: Stage,
    release: ArtifactId,
    keys: &[(LeadId, &str)],
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<&str>) = keys.iter().copied().unzip();
    sqlx::query(
        "update provider_results kept set paid_by = $4
           from unnest($5::text[], $6::text[]) as asked (lead_id, request_digest)
          where kept.lead_id = asked.lead_id and kept.stage = $3 and kept.root_run_id = $2 and kept.tenant_id = $1
            and kept.request_digest = asked.request_digest and kept.paid_by is null",
    )
    .bind(tenant)
    .bind(root_run)
    .bind(stage.as_str())
    .bind(release)
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

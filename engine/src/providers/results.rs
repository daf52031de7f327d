//! Table `provider_results`: every answer that was paid for, by lineage, stage, lead and question.

use luci_schema::{LeadId, Micros, RunId, Stage, TenantId};
use sqlx::{PgConnection, Row};

/// One stored answer; `outcome` is the adapter's JSON of what was found, or `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    pub lead_id: LeadId,
    pub request_digest: String,
    pub outcome: String,
    pub cost_micros: u64,
    pub answered_at: Micros,
}

/// All answers that this lineage has for these leads in this stage, whatever was asked.
pub async fn of_leads(
    c: &mut PgConnection,
    tenant: TenantId,
    root_run: RunId,
    stage: Stage,
    leads: &[LeadId],
) -> Result<Vec<Paid>, sqlx::Error> {
    let rows = sqlx::query(
        "select paid.lead_id, request_digest, outcome::text, cost_micros,
                (extract(epoch from created_at) * 1000000)::bigint as answered_at
           from unnest($4::text[]) as asked (lead_id)
          -- One by one: with `= any`, the plan made while the table is new reads the whole run's answers each time.
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
            Ok(Paid {
                lead_id: row.try_get("lead_id")?,
                request_digest: row.try_get("request_digest")?,
                outcome: row.try_get("outcome")?,
                // Checked by the table.
                cost_micros: u64::try_from(row.try_get::<i64, _>("cost_micros")?).unwrap_or(0),
                answered_at: Micros(row.try_get("answered_at")?),
            })
        })
        .collect()
}

/// Stores the answers of one call, all with the same time. An answer that another attempt stored meanwhile stays.
pub async fn store(
    c: &mut PgConnection,
    tenant: TenantId,
    root_run: RunId,
    stage: Stage,
    provider: &str,
    answers: &[Paid],
) -> Result<(), sqlx::Error> {
    let Some(first) = answers.first() else { return Ok(()) };
    let leads: Vec<LeadId> = answers.iter().map(|a| a.lead_id).collect();
    let digests: Vec<&str> = answers.iter().map(|a| a.request_digest.as_str()).collect();
    let outcomes: Vec<&str> = answers.iter().map(|a| a.outcome.as_str()).collect();
    let costs: Vec<i64> = answers.iter().map(|a| i64::try_from(a.cost_micros).unwrap_or(i64::MAX)).collect();
    sqlx::query(
        "insert into provider_results (tenant_id, root_run_id, stage, provider, created_at,
                                       lead_id, request_digest, outcome, cost_micros)
         select $1, $2, $3, $4, $5, lead_id, request_digest, outcome::json, cost_micros
           from unnest($6::text[], $7::text[], $8::text[], $9::bigint[])
                as answer (lead_id, request_digest, outcome, cost_micros)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(root_run)
    .bind(stage.as_str())
    .bind(provider)
    .bind(first.answered_at.date_time())
    .bind(leads)
    .bind(digests)
    .bind(outcomes)
    .bind(costs)
    .execute(c)
    .await?;
    Ok(())
}

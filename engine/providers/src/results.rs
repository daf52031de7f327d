//! Tables `provider_results` and `provider_calls`: every paid answer, by lineage, stage, lead and request digest; and the calls
//! that were begun and have no answer yet.

use std::collections::HashMap;

use luci_schema::{ArtifactId, LeadId, LookupId, RunId, Stage, TenantId};
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};

/// One stored answer; `outcome` is the JSON of the match, or `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidAnswer {
    pub lead_id: LeadId,
    pub request_digest: String,
    pub outcome: String,
    /// Of one that is stored, with what was paid again.
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
        "select paid.lead_id, request_digest, outcome::text, cost_micros + paid_again_micros as cost_micros, paid_by
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
    rows.iter().map(paid_answer).collect()
}

/// The answers of one call, and their lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidCall {
    /// None of answers that were posted: `trace_leads` has what was submitted, and an answer that comes after another one was
    /// stored is counted when it comes.
    pub id: Option<LookupId>,
    pub tenant: TenantId,
    pub root_run: RunId,
    pub stage: Stage,
    pub provider: &'static str,
    /// Earlier requests of this call that the provider may have billed although no answer came.
    pub unanswered: u32,
    pub answers: Vec<PaidAnswer>,
}

/// A call before its request is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunCall {
    pub id: LookupId,
    pub tenant: TenantId,
    pub root_run: RunId,
    pub stage: Stage,
    pub provider: &'static str,
    /// Of one match.
    pub price_micros: u64,
    /// Leads, and the digests of their queries.
    pub queries: Vec<(LeadId, String)>,
}

/// Records the queries of calls that nobody of the lineage has an answer for. Returns the answers to the others, by call and
/// position of the query: these are not asked for again.
pub async fn begin(c: &mut PgConnection, calls: &[&BegunCall]) -> Result<Vec<Vec<Option<PaidAnswer>>>, sqlx::Error> {
    let queries: Vec<(&BegunCall, &(LeadId, String))> =
        calls.iter().flat_map(|call| call.queries.iter().map(|query| (*call, query))).collect();
    let rows = sqlx::query(
        "with asked as (
            select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
                with ordinality as a (tenant_id, root_run_id, stage, lead_id, request_digest, call_id, provider, price_micros, n)
         ), answered as (
            select n, paid.* from asked
             cross join lateral (
                select lead_id, request_digest, outcome::text, cost_micros + paid_again_micros as cost_micros, paid_by
                  from provider_results
                 where lead_id = asked.lead_id and stage = asked.stage and root_run_id = asked.root_run_id
                   and tenant_id = asked.tenant_id and request_digest = asked.request_digest
                offset 0) as paid
         ), begun as (
            insert into provider_calls (tenant_id, root_run_id, stage, lead_id, request_digest, call_id, provider, price_micros)
            select tenant_id, root_run_id, stage, lead_id, request_digest, call_id, provider, price_micros from asked
             where n not in (select n from answered) order by lead_id, request_digest
                on conflict do nothing
         )
         select n, lead_id, request_digest, outcome, cost_micros, paid_by from answered",
    )
    .bind(queries.iter().map(|(call, _)| call.tenant).collect::<Vec<_>>())
    .bind(queries.iter().map(|(call, _)| call.root_run).collect::<Vec<_>>())
    .bind(queries.iter().map(|(call, _)| call.stage.as_str()).collect::<Vec<_>>())
    .bind(queries.iter().map(|(_, (lead, _))| *lead).collect::<Vec<_>>())
    .bind(queries.iter().map(|(_, (_, digest))| digest.as_str()).collect::<Vec<_>>())
    .bind(queries.iter().map(|(call, _)| call.id).collect::<Vec<_>>())
    .bind(queries.iter().map(|(call, _)| call.provider).collect::<Vec<_>>())
    .bind(queries.iter().map(|(call, _)| micros(call.price_micros)).collect::<Vec<_>>())
    .fetch_all(c)
    .await?;
    let mut answered: HashMap<usize, PaidAnswer> = HashMap::new();
    for row in &rows {
        answered.insert(nth(row)?, paid_answer(row)?);
    }
    let mut positions = 0..;
    let of_call = |call: &&BegunCall| {
        let of_query = |n: usize| answered.remove(&n);
        positions.by_ref().take(call.queries.len()).map(of_query).collect()
    };
    Ok(calls.iter().map(of_call).collect())
}

/// The call is over without an answer to these queries: it may have been paid `tries` times, or not at all.
pub async fn close(
    c: &mut PgConnection,
    (tenant, root_run): (TenantId, RunId),
    stage: Stage,
    call: LookupId,
    (queries, tries): (&[(LeadId, &str)], u32),
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<&str>) = queries.iter().copied().unzip();
    let of_call = "b.lead_id = asked.lead_id and b.request_digest = asked.request_digest and b.stage = $3
                     and b.root_run_id = $2 and b.tenant_id = $1 and b.call_id = $4";
    let asked = "unnest($5::text[], $6::text[]) as asked (lead_id, request_digest)";
    let sql = match tries {
        0 => format!("delete from provider_calls b using {asked} where {of_call}"),
        _ => format!("update provider_calls b set tries = $7 from {asked} where {of_call}"),
    };
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(root_run).bind(stage.as_str()).bind(call);
    let query = query.bind(leads).bind(digests);
    let query = if tries == 0 { query } else { query.bind(i32::try_from(tries).unwrap_or(i32::MAX)) };
    query.execute(c).await.map(drop)
}

/// Deletes calls that were begun a month ago and not asked again; returns the number of queries.
pub async fn delete_old_calls(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let sql = "delete from provider_calls where begun_at < now() - interval '30 days'";
    Ok(sqlx::query(sql).execute(c).await?.rows_affected())
}

/// What a statement did with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCost {
    /// What the release has to report: its answer's cost, and what was paid again for it.
    pub reported_micros: u64,
    /// What this statement added to `paid_again_micros`.
    pub again_micros: u64,
}

/// Stores the answers of calls, no two of which may have the same key; returns their costs by call. An answer that another call
/// of the lineage stored meanwhile is kept. Other calls for the same answer that were begun and have no answer may have been paid
/// too: they are counted in `paid_again_micros` now, and not again should their answers still come. Idempotent for one call.
pub async fn store(c: &mut PgConnection, calls: &[&PaidCall]) -> Result<Vec<Vec<StoredCost>>, sqlx::Error> {
    let mut rows: Vec<(usize, &PaidCall, &PaidAnswer)> = (0..)
        .zip(calls.iter().flat_map(|call| call.answers.iter().map(|paid| (*call, paid))))
        .map(|(n, (call, paid))| (n, call, paid))
        .collect();
    // Always in one order, so that two processes cannot deadlock.
    rows.sort_unstable_by_key(|(_, _, paid)| (paid.lead_id, &paid.request_digest));
    let stored = sqlx::query(STORE)
        .bind(rows.iter().map(|(_, call, _)| call.tenant).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, call, _)| call.root_run).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, call, _)| call.stage.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, call, _)| call.provider).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, paid)| paid.paid_by).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, paid)| paid.lead_id).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, paid)| paid.request_digest.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, paid)| paid.outcome.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, _, paid)| micros(paid.cost_micros)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, call, _)| call.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, call, _)| i64::from(call.unanswered)).collect::<Vec<_>>())
        .fetch_all(c)
        .await?;
    let mut costs: HashMap<usize, StoredCost> = HashMap::new();
    for row in &stored {
        let of = |column| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
        costs.insert(rows[nth(row)?].0, StoredCost { reported_micros: of("reported")?, again_micros: of("again")? });
    }
    let mut positions = 0..;
    let mut of_answer = |paid: &PaidAnswer| {
        let nothing_counted = StoredCost { reported_micros: paid.cost_micros, again_micros: 0 };
        positions.next().and_then(|n| costs.remove(&n)).unwrap_or(nothing_counted)
    };
    Ok(calls.iter().map(|call| call.answers.iter().map(&mut of_answer).collect()).collect())
}

const STORE: &str = "
with paid as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::bigint[], $10::text[], $11::bigint[])
        with ordinality as p (tenant_id, root_run_id, stage, provider, paid_by, lead_id, request_digest, outcome, cost_micros,
                              call_id, unanswered, n)
), settled as (
    delete from provider_calls b using paid p
     where b.lead_id = p.lead_id and b.stage = p.stage and b.root_run_id = p.root_run_id and b.tenant_id = p.tenant_id
       and b.request_digest = p.request_digest
    returning p.n, b.call_id is not distinct from p.call_id as own, b.tries
), counted as (
    -- A call's own row is gone when this statement has been executed before, or when another call has counted it.
    select p.*, p.cost_micros * (case when coalesce(bool_or(s.own), false) then p.unanswered else 0 end
                                 + coalesce(sum(s.tries) filter (where not s.own), 0)::bigint) as others,
           case when p.call_id is null or coalesce(bool_or(s.own), false) then p.cost_micros else 0 end as own
      from paid p left join settled s on s.n = p.n
     group by p.tenant_id, p.root_run_id, p.stage, p.provider, p.paid_by, p.lead_id, p.request_digest, p.outcome, p.cost_micros,
              p.call_id, p.unanswered, p.n
), stored as (
    insert into provider_results as kept (tenant_id, root_run_id, stage, provider, paid_by, lead_id, request_digest, outcome,
                                          cost_micros, paid_again_micros)
    select tenant_id, root_run_id, stage, provider, paid_by, lead_id, request_digest, outcome::json, cost_micros, others
      from counted order by n
    on conflict (lead_id, stage, root_run_id, tenant_id, request_digest) do update
       set paid_again_micros = kept.paid_again_micros + excluded.paid_again_micros
             + (select case when call_id is not null or kept.paid_by is distinct from excluded.paid_by then own else 0 end
                  from counted where counted.lead_id = excluded.lead_id and counted.stage = excluded.stage
                   and counted.root_run_id = excluded.root_run_id and counted.tenant_id = excluded.tenant_id
                   and counted.request_digest = excluded.request_digest)
    returning lead_id, stage, root_run_id, tenant_id, request_digest, paid_by, cost_micros + paid_again_micros as total,
              -- A row that was there before has been updated.
              xmax <> 0 as kept
)
select n, case when kept then others + own else others end as again,
       case when stored.paid_by is not distinct from counted.paid_by then total else others + own end as reported
  from counted join stored using (lead_id, stage, root_run_id, tenant_id, request_digest)";

fn micros(cost: u64) -> i64 {
    i64::try_from(cost).unwrap_or(i64::MAX)
}

/// The position of a row that a statement numbered from 1.
fn nth(row: &PgRow) -> Result<usize, sqlx::Error> {
    let n: i64 = row.try_get("n")?;
    Ok(usize::try_from(n - 1).unwrap_or(usize::MAX))
}

fn paid_answer(row: &PgRow) -> Result<PaidAnswer, sqlx::Error> {
    Ok(PaidAnswer {
        lead_id: row.try_get("lead_id")?,
        request_digest: row.try_get("request_digest")?,
        outcome: row.try_get("outcome")?,
        // Checked by the table.
        cost_micros: row.try_get::<i64, _>("cost_micros")?.unsigned_abs(),
        paid_by: row.try_get("paid_by")?,
    })
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

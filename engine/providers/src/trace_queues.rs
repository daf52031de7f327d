//! Table `trace_queues`: one row per query of an upload to Tracerfy, recorded before the upload is made, so that another attempt
//! reads its answers.

use std::collections::{HashMap, HashSet};

use luci_schema::LeadId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::answer::LookupContext;

/// A lead, and the digest of its query.
pub type QueryKey = (LeadId, String);

/// The state of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upload {
    /// Confirmed: the provider's number of the queue.
    Queue(u64),
    /// Sent at `since` with `rows` rows; the response was lost.
    Unconfirmed { since: OffsetDateTime, rows: u64 },
}

/// The upload per query. Uploads older than a day are ignored, so the query is uploaded again.
pub async fn find_uploads(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    leads: &[LeadId],
) -> Result<HashMap<QueryKey, Upload>, sqlx::Error> {
    let rows: Vec<(LeadId, String, Option<i64>, i32, OffsetDateTime)> = sqlx::query_as(
        "select uploaded.lead_id, request_digest, queue, rows, created_at
           from (select distinct lead_id from unnest($3::text[]) as asked (lead_id)) as asked
          cross join lateral (select * from trace_queues
                               where lead_id = asked.lead_id and root_run_id = $2 and tenant_id = $1 offset 0) as uploaded
          where created_at > now() - interval '1 day'",
    )
    .bind(context.tenant)
    .bind(context.root_run)
    .bind(leads)
    .fetch_all(c)
    .await?;
    let upload = |queue: Option<i64>, rows: i32, since| match queue {
        Some(queue) => Upload::Queue(queue.unsigned_abs()),
        None => Upload::Unconfirmed { since, rows: rows.unsigned_abs().into() },
    };
    Ok(rows.into_iter().map(|(lead, digest, queue, rows, at)| ((lead, digest), upload(queue, rows, at))).collect())
}

/// Records that an upload of these queries begins (`None`), or its queue.
pub async fn record(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    queue: Option<u64>,
    rows: usize,
    queries: &[QueryKey],
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<String>) = queries.iter().cloned().unzip();
    sqlx::query(
        "insert into trace_queues (tenant_id, root_run_id, queue, rows, lead_id, request_digest)
         select distinct $1, $2, $3::bigint, $4::integer, lead_id, request_digest
           from unnest($5::text[], $6::text[]) as asked (lead_id, request_digest)
         on conflict (lead_id, root_run_id, tenant_id, request_digest) do update
            set queue = excluded.queue, rows = excluded.rows, created_at = excluded.created_at",
    )
    .bind(context.tenant)
    .bind(context.root_run)
    .bind(queue.map(|queue| i64::try_from(queue).unwrap_or(i64::MAX)))
    .bind(i32::try_from(rows).unwrap_or(i32::MAX))
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

/// Records the queue of an unconfirmed upload for all of its queries; the key is one of its queries.
pub async fn confirm(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    queue: u64,
    (lead, digest): &QueryKey,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update trace_queues t set queue = $3
           from (select created_at, rows from trace_queues
                  where lead_id = $4 and root_run_id = $2 and tenant_id = $1 and request_digest = $5) as upload
          where t.root_run_id = $2 and t.tenant_id = $1 and t.queue is null
            and t.created_at = upload.created_at and t.rows = upload.rows",
    )
    .bind(context.tenant)
    .bind(context.root_run)
    .bind(i64::try_from(queue).unwrap_or(i64::MAX))
    .bind(lead)
    .bind(digest)
    .execute(c)
    .await?;
    Ok(())
}

/// Which of these queues belong to a recorded upload of any tenant.
pub async fn recorded(c: &mut PgConnection, queues: &[u64]) -> Result<HashSet<u64>, sqlx::Error> {
    let queues: Vec<i64> = queues.iter().filter_map(|queue| i64::try_from(*queue).ok()).collect();
    let recorded: Vec<i64> = sqlx::query_scalar("select distinct queue from trace_queues where queue = any($1)")
        .bind(queues)
        .fetch_all(c)
        .await?;
    Ok(recorded.into_iter().map(i64::unsigned_abs).collect())
}

/// Deletes the rows of these queries; other queries of the same upload keep theirs.
pub async fn delete(
    c: &mut PgConnection,
    context: &LookupContext<'_>,
    queries: &[QueryKey],
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<String>) = queries.iter().cloned().unzip();
    sqlx::query(
        "delete from trace_queues q using unnest($3::text[], $4::text[]) as asked (lead_id, request_digest)
          where q.lead_id = asked.lead_id and q.root_run_id = $2 and q.tenant_id = $1
            and q.request_digest = asked.request_digest",
    )
    .bind(context.tenant)
    .bind(context.root_run)
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

/// Deletes uploads older than a day; returns the number of queries.
pub async fn delete_old(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let sql = "delete from trace_queues where created_at < now() - interval '1 day'";
    Ok(sqlx::query(sql).execute(c).await?.rows_affected())
}

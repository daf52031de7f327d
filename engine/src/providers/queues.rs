//! Table `trace_queues`: uploads of queues to a provider, noted before they are made, and read again by whoever asks the same.

use std::collections::{HashMap, HashSet};

use luci_schema::LeadId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::provider::Asking;

/// A lead, and the digest of what is asked of it.
pub type Question = (LeadId, String);

/// What is known of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upload {
    /// The provider gave it this number.
    Queue(u64),
    /// It was begun then, of so many rows, and what came of it was not heard.
    Perhaps { since: OffsetDateTime, rows: u64 },
}

/// The upload of each question that had one, by lead and digest. One older than a day has gone wrong, and is made anew.
pub async fn of(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    leads: &[LeadId],
) -> Result<HashMap<Question, Upload>, sqlx::Error> {
    let rows: Vec<(LeadId, String, Option<i64>, i32, OffsetDateTime)> = sqlx::query_as(
        "select uploaded.lead_id, request_digest, queue, rows, created_at
           from (select distinct lead_id from unnest($3::text[]) as asked (lead_id)) as asked
          cross join lateral (select * from trace_queues
                               where lead_id = asked.lead_id and root_run_id = $2 and tenant_id = $1 offset 0) as uploaded
          where created_at > now() - interval '1 day'",
    )
    .bind(asking.tenant)
    .bind(asking.root_run)
    .bind(leads)
    .fetch_all(c)
    .await?;
    let upload = |queue: Option<i64>, rows: i32, since| match queue {
        Some(queue) => Upload::Queue(queue.unsigned_abs()),
        None => Upload::Perhaps { since, rows: rows.unsigned_abs().into() },
    };
    Ok(rows.into_iter().map(|(lead, digest, queue, rows, at)| ((lead, digest), upload(queue, rows, at))).collect())
}

/// Notes that these questions are uploaded now (`None`), or in which queue they are.
pub async fn note(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    queue: Option<u64>,
    rows: usize,
    questions: &[Question],
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<String>) = questions.iter().cloned().unzip();
    sqlx::query(
        "insert into trace_queues (tenant_id, root_run_id, queue, rows, lead_id, request_digest)
         select distinct $1, $2, $3::bigint, $4::integer, lead_id, request_digest
           from unnest($5::text[], $6::text[]) as asked (lead_id, request_digest)
         on conflict (lead_id, root_run_id, tenant_id, request_digest) do update
            set queue = excluded.queue, rows = excluded.rows, created_at = excluded.created_at",
    )
    .bind(asking.tenant)
    .bind(asking.root_run)
    .bind(queue.map(|queue| i64::try_from(queue).unwrap_or(i64::MAX)))
    .bind(i32::try_from(rows).unwrap_or(i32::MAX))
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

/// The upload that this question was part of is found: all that went with it is in this queue, whoever asks for it next.
pub async fn found(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    queue: u64,
    (lead, digest): &Question,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update trace_queues t set queue = $3
           from (select created_at, rows from trace_queues
                  where lead_id = $4 and root_run_id = $2 and tenant_id = $1 and request_digest = $5) as upload
          where t.root_run_id = $2 and t.tenant_id = $1 and t.queue is null
            and t.created_at = upload.created_at and t.rows = upload.rows",
    )
    .bind(asking.tenant)
    .bind(asking.root_run)
    .bind(i64::try_from(queue).unwrap_or(i64::MAX))
    .bind(lead)
    .bind(digest)
    .execute(c)
    .await?;
    Ok(())
}

/// Those of the queues that are somebody's already, whoever's.
pub async fn noted(c: &mut PgConnection, queues: &[u64]) -> Result<HashSet<u64>, sqlx::Error> {
    let queues: Vec<i64> = queues.iter().filter_map(|queue| i64::try_from(*queue).ok()).collect();
    let noted: Vec<i64> = sqlx::query_scalar("select distinct queue from trace_queues where queue = any($1)")
        .bind(queues)
        .fetch_all(c)
        .await?;
    Ok(noted.into_iter().map(i64::unsigned_abs).collect())
}

/// These questions are in no queue any more.
pub async fn forget(c: &mut PgConnection, asking: &Asking<'_>, questions: &[Question]) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<String>) = questions.iter().cloned().unzip();
    sqlx::query(
        "delete from trace_queues q using unnest($3::text[], $4::text[]) as asked (lead_id, request_digest)
          where q.lead_id = asked.lead_id and q.root_run_id = $2 and q.tenant_id = $1
            and q.request_digest = asked.request_digest",
    )
    .bind(asking.tenant)
    .bind(asking.root_run)
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets uploads that nobody reads any more; answers of how many questions.
pub async fn forget_old(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let sql = "delete from trace_queues where created_at < now() - interval '1 day'";
    Ok(sqlx::query(sql).execute(c).await?.rows_affected())
}

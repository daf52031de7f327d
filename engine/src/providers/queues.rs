//! Table `trace_queues`: queues at a provider that were uploaded, and are read again by whoever asks the same.

use std::collections::HashMap;

use luci_schema::LeadId;
use sqlx::PgConnection;

use crate::provider::Asking;

/// The queue of each question that has one, by lead and digest. One older than a day has gone wrong, and is uploaded anew.
pub async fn of(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    leads: &[LeadId],
) -> Result<HashMap<(LeadId, String), u64>, sqlx::Error> {
    let rows: Vec<(LeadId, String, i64)> = sqlx::query_as(
        "select uploaded.lead_id, request_digest, queue
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
    Ok(rows.into_iter().map(|(lead, digest, queue)| ((lead, digest), queue.unsigned_abs())).collect())
}

/// Notes in which queue these questions are now.
pub async fn put(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    queue: u64,
    questions: &[(LeadId, String)],
) -> Result<(), sqlx::Error> {
    let (leads, digests): (Vec<LeadId>, Vec<String>) = questions.iter().cloned().unzip();
    sqlx::query(
        "insert into trace_queues (tenant_id, root_run_id, queue, lead_id, request_digest)
         select distinct $1, $2, $3::bigint, lead_id, request_digest
           from unnest($4::text[], $5::text[]) as asked (lead_id, request_digest)
         on conflict (lead_id, root_run_id, tenant_id, request_digest) do update
            set queue = excluded.queue, created_at = excluded.created_at",
    )
    .bind(asking.tenant)
    .bind(asking.root_run)
    .bind(i64::try_from(queue).unwrap_or(i64::MAX))
    .bind(leads)
    .bind(digests)
    .execute(c)
    .await?;
    Ok(())
}

/// These questions are in no queue any more.
pub async fn forget(
    c: &mut PgConnection,
    asking: &Asking<'_>,
    questions: &[(LeadId, String)],
) -> Result<(), sqlx::Error> {
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

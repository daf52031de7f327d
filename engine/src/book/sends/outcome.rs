//! What becomes of a send in hand: taken by the provider, refused, or nobody knows.

use std::time::Duration;

use luci_schema::TenantId;
use sqlx::PgConnection;

use super::{Claimed, Queue, read};

/// The provider took it. A fact, whoever holds the row by now.
pub async fn sent(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    (id, provider_id): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(queue.sql(
        "update {queue} set status = '{sent}', {sent_at} = now(), {provider_id} = $3, error_code = null,
                            updated_at = now()
          where tenant_id = $1 and id = $2 and status in ('{in_hand}', 'failed', '{called_off}')
            and {provider_id} is null",
    ))
    .bind(tenant)
    .bind(id)
    .bind(provider_id)
    .execute(c)
    .await?;
    Ok(())
}

/// The send that the provider knows by this id.
pub async fn known_as(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    provider_id: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(queue.sql("select id from {queue} where tenant_id = $1 and {provider_id} = $2"))
        .bind(tenant)
        .bind(provider_id)
        .fetch_optional(c)
        .await
}

/// What comes of a send that the provider certainly did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Due again after so long; counts as an attempt.
    Again(Duration),
    /// The same, when the send is not to blame: no attempt is used up.
    Later(Duration),
    /// For good.
    Never,
}

/// What a refusal has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is due again.
    Waits,
    /// It has failed for good.
    Ended,
    /// Another holds the row by now: nothing is changed.
    NotOurs,
}

/// Puts a refused one back, or ends it.
pub async fn refused(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    claimed: &Claimed,
    (code, next): (&str, Next),
) -> Result<Refused, sqlx::Error> {
    let (status, wait, attempts) = match next {
        Next::Again(wait) if claimed.attempts < claimed.max_attempts => ("pending", wait, 0),
        Next::Later(wait) => ("pending", wait, 1),
        Next::Again(_) | Next::Never => ("failed", Duration::ZERO, 0),
    };
    let done = sqlx::query(queue.sql(
        "update {queue}
            set status = $4, error_code = $5, scheduled_at = now() + make_interval(secs => $6),
                attempts = attempts - $7, claimed_at = case when $4 = 'pending' then null else claimed_at end,
                updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = '{in_hand}' and {provider_id} is null",
    ))
    .bind(tenant)
    .bind(&claimed.id)
    .bind(claimed.claim)
    .bind(status)
    .bind(code)
    .bind(wait.as_secs_f64())
    .bind(attempts as i16)
    .execute(c)
    .await?;
    Ok(match (done.rows_affected(), status) {
        (0, _) => Refused::NotOurs,
        (_, "failed") => Refused::Ended,
        _ => Refused::Waits,
    })
}

/// One whose holder went away in the middle: nobody knows whether it was sent. Taken over, so that two do not ask.
pub async fn abandoned(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    after: Duration,
) -> Result<Option<Claimed>, sqlx::Error> {
    let row = sqlx::query(queue.sql(
        "update {queue} q set claim = q.claim + 1, claimed_at = now(), updated_at = now()
           from (select id from {queue}
                  where tenant_id = $1 and status = '{in_hand}' and {provider_id} is null
                    and claimed_at < now() - make_interval(secs => $2)
                  limit 1 for update skip locked) as old
          where q.tenant_id = $1 and q.id = old.id
         returning q.*",
    ))
    .bind(tenant)
    .bind(after.as_secs_f64())
    .fetch_optional(c)
    .await?;
    row.map(|row| read(queue, &row)).transpose()
}

/// Holds an abandoned one for a person: it may have been sent, so it is not sent again.
pub async fn unknown(
    c: &mut PgConnection,
    tenant: TenantId,
    queue: Queue,
    claimed: &Claimed,
) -> Result<(), sqlx::Error> {
    sqlx::query(queue.sql(
        "update {queue} set status = 'failed', error_code = 'unknown_outcome', updated_at = now()
          where tenant_id = $1 and id = $2 and claim = $3 and status = '{in_hand}' and {provider_id} is null",
    ))
    .bind(tenant)
    .bind(&claimed.id)
    .bind(claimed.claim)
    .execute(c)
    .await?;
    Ok(())
}

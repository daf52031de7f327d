//! Following the log: a lease, so that one process at a time is active, and a checkpoint in the follower's own transaction.
//!
//! The lease's epoch is the fencing token: a new holder raises it, and from then on a checkpoint of the former holder fails
//! its transaction. Times are Postgres' clock.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row};

use super::LogError;
use crate::{Micros, Position};

/// The right to be the only active follower of a name, until it expires.
#[derive(Debug)]
pub struct Lease {
    pool: PgPool,
    name: String,
    epoch: i64,
    position: Position,
    ttl: Duration,
}

impl Lease {
    /// Acquires the lease when it is free, expired, or held by the same `owner`; `None` while another process holds it.
    pub async fn acquire(pool: &PgPool, name: &str, owner: &str, ttl: Duration) -> Result<Option<Self>, LogError> {
        let mut tx = pool.begin().await?;
        // If a crash lost the commit, the same epoch would be given out twice.
        sqlx::query("set local synchronous_commit = on").execute(&mut *tx).await?;
        sqlx::query("insert into log.followers (name) values ($1) on conflict do nothing")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        let taken: Option<(i64, i64)> = sqlx::query_as(
            "update log.followers set owner = $2, epoch = epoch + 1, updated_at = clock_timestamp(),
                    lease_until = clock_timestamp() + make_interval(secs => $3)
              where name = $1 and (lease_until < clock_timestamp() or owner = $2)
             returning epoch, position",
        )
        .bind(name)
        .bind(owner)
        .bind(ttl.as_secs_f64())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(taken.map(|(epoch, position)| Self {
            pool: pool.clone(),
            name: name.into(),
            epoch,
            position: Position(position as u64),
            ttl,
        }))
    }

    /// Extends the lease from now; `false` when another process took over: stop immediately.
    pub async fn renew(&mut self) -> Result<bool, LogError> {
        let done = sqlx::query(
            "update log.followers set lease_until = clock_timestamp() + make_interval(secs => $3), updated_at = clock_timestamp()
              where name = $1 and epoch = $2",
        )
        .bind(&self.name)
        .bind(self.epoch)
        .bind(self.ttl.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Releases the lease before it expires. A failure is only logged: the lease then expires.
    pub async fn release(self) {
        let done = sqlx::query(
            "update log.followers set lease_until = '-infinity', owner = null, updated_at = clock_timestamp()
              where name = $1 and epoch = $2",
        )
        .bind(&self.name)
        .bind(self.epoch)
        .execute(&self.pool)
        .await;
        if let Err(error) = done {
            tracing::warn!(lease = %self.name, %error, "lease release failed");
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Greater than that of every earlier holder.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The checkpoint when the lease was acquired.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Stores why the follower stopped (`None`: no error), for status queries after its process has ended.
    pub async fn report(&self, error: Option<&str>) -> Result<(), LogError> {
        sqlx::query(
            "update log.followers set last_error = $3, updated_at = clock_timestamp() where name = $1 and epoch = $2",
        )
        .bind(&self.name)
        .bind(self.epoch)
        .bind(error)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Moves the follower's checkpoint in the transaction that stores the folded data.
///
/// # Errors
/// `Fenced` when another process holds the lease or the checkpoint is not `from`; the transaction must be rolled back.
pub async fn checkpoint(
    c: &mut PgConnection,
    name: &str,
    epoch: i64,
    from: Position,
    to: Position,
) -> Result<(), LogError> {
    let done = sqlx::query(
        "update log.followers set position = $4, updated_at = clock_timestamp() where name = $1 and epoch = $2 and position = $3",
    )
    .bind(name)
    .bind(epoch)
    .bind(from.0 as i64)
    .bind(to.0 as i64)
    .execute(c)
    .await?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(LogError::Fenced { name: name.into() }),
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    pub name: String,
    pub position: Position,
    pub epoch: i64,
    pub owner: Option<String>,
    /// Whether its lease is held.
    pub held: bool,
    pub last_error: Option<String>,
    pub updated_at: Micros,
}

/// All followers that ever acquired a lease, by name.
pub async fn followers(c: &mut PgConnection) -> Result<Vec<Follower>, LogError> {
    let rows = sqlx::query(
        "select name, position, epoch, owner, lease_until > clock_timestamp() as held, last_error, updated_at
           from log.followers order by name",
    )
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Follower {
                name: row.try_get("name")?,
                position: Position(row.try_get::<i64, _>("position")? as u64),
                epoch: row.try_get("epoch")?,
                owner: row.try_get("owner")?,
                held: row.try_get("held")?,
                last_error: row.try_get("last_error")?,
                updated_at: row.try_get::<time::OffsetDateTime, _>("updated_at")?.into(),
            })
        })
        .collect()
}

/// A follower's checkpoint; 0 when there is none of that name.
pub async fn follower_position(c: &mut PgConnection, name: &str) -> Result<Position, LogError> {
    let position: Option<i64> =
        sqlx::query_scalar("select position from log.followers where name = $1").bind(name).fetch_optional(c).await?;
    Ok(Position(position.unwrap_or(0) as u64))
}

/// Deletes a follower and its checkpoint, in the transaction that drops what it folded.
pub async fn delete_follower(c: &mut PgConnection, name: &str) -> Result<(), LogError> {
    sqlx::query("delete from log.followers where name = $1").bind(name).execute(c).await?;
    Ok(())
}

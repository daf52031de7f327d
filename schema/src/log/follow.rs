//! Following the log: a lease, so that one of many is at work, and a checkpoint inside the follower's own transaction.
//!
//! The lease is told by its epoch. Whoever takes over raises it, and from then on the one before cannot move the position:
//! its transaction fails. Times are Postgres' clock.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row};

use super::LogError;
use crate::{Micros, Position};

/// The right to be the one active follower of a name, until its time is over.
#[derive(Debug)]
pub struct Lease {
    pool: PgPool,
    name: String,
    epoch: i64,
    position: Position,
    ttl: Duration,
}

impl Lease {
    /// Takes the lease when it is free, over, or this owner's own; `None` while another holds it. `owner` is one process's.
    pub async fn acquire(pool: &PgPool, name: &str, owner: &str, ttl: Duration) -> Result<Option<Self>, LogError> {
        let mut tx = pool.begin().await?;
        // An epoch that a crash could take away would be given twice.
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

    /// Prolongs it from now; `false` when another took over: stop at once.
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

    /// Lets the next one in without waiting for the time to be over. Without an answer it would only take longer.
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
            tracing::warn!(follower.name = %self.name, error = %error, "a lease was not released");
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Greater than every earlier holder's.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Where the follower stood when the lease was taken.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Keeps why the follower stands still, for whoever looks when its process is gone; `None` when it goes on.
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

/// Moves the follower's position, inside the transaction that holds what was folded: both or neither. `Fenced` when the
/// lease is another's by now or the position is not where it was: the transaction must be rolled back.
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

/// A follower as it stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    pub name: String,
    pub position: Position,
    pub epoch: i64,
    pub owner: Option<String>,
    /// Whether its lease is held now.
    pub held: bool,
    pub last_error: Option<String>,
    pub updated_at: Micros,
}

/// Every follower that ever took a lease, by name.
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

/// Where a follower stands; 0 when there is none of that name.
pub async fn follower_position(c: &mut PgConnection, name: &str) -> Result<Position, LogError> {
    let position: Option<i64> =
        sqlx::query_scalar("select position from log.followers where name = $1").bind(name).fetch_optional(c).await?;
    Ok(Position(position.unwrap_or(0) as u64))
}

/// Forgets a follower and its position, in the caller's transaction: what it folded is dropped there too.
pub async fn forget_follower(c: &mut PgConnection, name: &str) -> Result<(), LogError> {
    sqlx::query("delete from log.followers where name = $1").bind(name).execute(c).await?;
    Ok(())
}

//! The statements on the head of the log: its position and epoch, the partitions ahead of it, and what lies past it.

use sqlx::PgConnection;

use crate::Position;

/// The last position.
pub(super) async fn position(c: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let position: i64 = sqlx::query_scalar("select position from log.head where id = 0").fetch_one(c).await?;
    Ok(Position(position as u64))
}

/// The last position, and the epoch.
pub async fn head_and_epoch(c: &mut PgConnection) -> Result<(Position, String), sqlx::Error> {
    let sql = "select position, epoch from log.head where id = 0";
    let (position, epoch): (i64, String) = sqlx::query_as(sql).fetch_one(c).await?;
    Ok((Position(position as u64), epoch))
}

/// Creates partitions ahead; returns the first position without one.
pub(super) async fn ensure_partitions(c: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let position: i64 = sqlx::query_scalar("select log.ensure_partitions()").fetch_one(c).await?;
    Ok(Position(position as u64))
}

/// The first position past the head that has an event: nobody but the append may make one.
pub(super) async fn beyond_head(c: &mut PgConnection) -> Result<Option<Position>, sqlx::Error> {
    let sql = "select min(position) from log.events where position > (select position from log.head where id = 0)";
    let position: Option<i64> = sqlx::query_scalar(sql).fetch_one(c).await?;
    Ok(position.map(|position| Position(position as u64)))
}

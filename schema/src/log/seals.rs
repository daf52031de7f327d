//! Table `log.seals`.

use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{LogError, row::bytes};
use crate::{Position, seal::Seal};

/// The newest seal.
pub async fn last_seal(c: &mut PgConnection) -> Result<Option<Seal>, LogError> {
    let row = sqlx::query("select * from log.seals order by seal_id desc limit 1").fetch_optional(c).await?;
    Ok(row.as_ref().map(seal).transpose()?)
}

/// Up to `limit` seals after `seal_id`, in order.
pub async fn seals_after(c: &mut PgConnection, seal_id: u64, limit: u32) -> Result<Vec<Seal>, LogError> {
    let rows = sqlx::query("select * from log.seals where seal_id > $1 order by seal_id limit $2")
        .bind(seal_id as i64)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await?;
    Ok(rows.iter().map(seal).collect::<Result<_, _>>()?)
}

/// The seal that covers a position; `None` while it is not sealed.
pub async fn seal_over(c: &mut PgConnection, position: Position) -> Result<Option<Seal>, LogError> {
    let row = sqlx::query("select * from log.seals where to_position >= $1 order by to_position limit 1")
        .bind(position.0 as i64)
        .fetch_optional(c)
        .await?;
    Ok(row.as_ref().map(seal).transpose()?)
}

/// Inserts a seal durably: an exported seal must not be missing here after a crash. An existing id is an error.
pub async fn add_seal(c: &mut PgConnection, seal: &Seal) -> Result<(), LogError> {
    sqlx::query("set local synchronous_commit = on").execute(&mut *c).await?;
    sqlx::query(
        "insert into log.seals (seal_id, from_position, to_position, root, previous_hash, seal_hash, public_key, signature, sealed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(seal.seal_id as i64)
    .bind(seal.from_position.0 as i64)
    .bind(seal.to_position.0 as i64)
    .bind(&seal.root[..])
    .bind(&seal.previous_hash[..])
    .bind(&seal.seal_hash[..])
    .bind(&seal.public_key[..])
    .bind(&seal.signature[..])
    .bind(seal.sealed_at_micros.date_time())
    .execute(c)
    .await?;
    Ok(())
}

fn seal(row: &PgRow) -> Result<Seal, sqlx::Error> {
    Ok(Seal {
        seal_id: row.try_get::<i64, _>("seal_id")? as u64,
        from_position: Position(row.try_get::<i64, _>("from_position")? as u64),
        to_position: Position(row.try_get::<i64, _>("to_position")? as u64),
        root: bytes(row, "root")?,
        previous_hash: bytes(row, "previous_hash")?,
        seal_hash: bytes(row, "seal_hash")?,
        public_key: bytes(row, "public_key")?,
        signature: bytes(row, "signature")?,
        sealed_at_micros: row.try_get::<OffsetDateTime, _>("sealed_at")?.into(),
    })
}

//! Decoding of the log's rows.

use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use super::LogError;
use crate::{Event, EventId, Position, Recorded, Version};

pub(super) fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &PgRow,
    column: &str,
) -> Result<T, sqlx::Error> {
    row.try_get::<&str, _>(column)?.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

pub(super) fn recorded(row: &PgRow) -> Result<Recorded, LogError> {
    let position = Position(row.try_get::<i64, _>("position")? as u64);
    let event_type: String = row.try_get("event_type")?;
    let schema_version = row.try_get::<i16, _>("schema_version")? as u16;
    let data: String = row.try_get("data")?;
    let event = Event::decode(&event_type, schema_version, &data)
        .map_err(|e| LogError::Corrupt(format!("position {position}: {e}")))?;
    Ok(Recorded {
        position,
        version: Version(row.try_get::<i64, _>("version")? as u64),
        event_id: row.try_get::<EventId, _>("event_id")?,
        event_type,
        schema_version,
        tenant_id: row.try_get("tenant_id")?,
        stream_id: parsed(row, "stream_id")?,
        actor: parsed(row, "actor")?,
        command_id: parsed(row, "command_id")?,
        correlation_id: row.try_get("correlation_id")?,
        causation_id: row.try_get("causation_id")?,
        recorded_at: row.try_get::<OffsetDateTime, _>("recorded_at")?.into(),
        data,
        metadata: row.try_get("metadata")?,
        previous_hash: row.try_get("previous_hash")?,
        hash: row.try_get("hash")?,
        event,
    })
}

/// Bytes of a fixed length. Another length, which only tampering can produce, reads as zeros, so that the check of the hash
/// or signature reports it.
pub(super) fn bytes<const N: usize>(row: &PgRow, column: &str) -> Result<[u8; N], sqlx::Error> {
    Ok(<[u8; N]>::try_from(row.try_get::<&[u8], _>(column)?).unwrap_or([0; N]))
}

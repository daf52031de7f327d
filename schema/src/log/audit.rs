//! Reads the log's tables as they are stored, for an audit that trusts none of them. What cannot be read as what it should be
//! is a value here, not an error.

use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{LogError, row::recorded};
use crate::{Hash, Micros, Recorded};

/// A row of `log.events`.
#[derive(Debug)]
pub struct StoredEvent {
    pub position: i64,
    /// Or why the row is not an event.
    pub event: Result<Box<Recorded>, String>,
}

/// A row of `log.streams`.
#[derive(Debug)]
pub struct StoredStream {
    pub stream_id: String,
    pub tenant_id: String,
    pub version: i64,
    pub hash: Vec<u8>,
    /// `None` for a time that no process writes.
    pub recorded_at: Option<Micros>,
}

/// A row of `log.receipts`.
#[derive(Debug)]
pub struct StoredReceipt {
    pub tenant_id: String,
    pub command_id: String,
    pub body_digest: Option<Hash>,
    pub outcome: String,
    pub position: i64,
    pub recorded_at: Option<Micros>,
}

/// Up to `limit` events after a position, in order. A time outside of years 1 to 9999 cannot be read as an event's.
pub async fn stored_events(c: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<StoredEvent>, LogError> {
    let rows = sqlx::query(
        "select position, version, schema_version, event_id, event_type, tenant_id, stream_id, actor, command_id,
                case when recorded_at between '0001-01-01' and '9999-12-31' then recorded_at end as recorded_at,
                correlation_id, causation_id, data::text as data, metadata::text as metadata, previous_hash, hash
           from log.events where position > $1 order by position limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?;
    let stored = rows.iter().map(|row| {
        let event = recorded(row).map(Box::new).map_err(|error| error.to_string());
        Ok(StoredEvent { position: row.try_get("position")?, event })
    });
    stored.collect()
}

/// Up to `limit` streams after an id, in order of their ids.
pub async fn stored_streams(c: &mut PgConnection, after: &str, limit: i64) -> Result<Vec<StoredStream>, LogError> {
    let rows = sqlx::query(
        "select stream_id, tenant_id, version, hash,
                case when recorded_at between '0001-01-01' and '9999-12-31' then recorded_at end as recorded_at
           from log.streams where stream_id > $1 order by stream_id limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?;
    let stored = rows.iter().map(|row| {
        Ok(StoredStream {
            stream_id: row.try_get("stream_id")?,
            tenant_id: row.try_get("tenant_id")?,
            version: row.try_get("version")?,
            hash: row.try_get("hash")?,
            recorded_at: time(row)?,
        })
    });
    stored.collect()
}

/// Up to `limit` receipts after tenant and command, in their order.
pub async fn stored_receipts(
    c: &mut PgConnection,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<StoredReceipt>, LogError> {
    let rows = sqlx::query(
        "select tenant_id, command_id, body_digest, outcome::text as outcome, position,
                case when recorded_at between '0001-01-01' and '9999-12-31' then recorded_at end as recorded_at
           from log.receipts where (tenant_id, command_id) > ($1, $2) order by tenant_id, command_id limit $3",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(c)
    .await?;
    let stored = rows.iter().map(|row| {
        Ok(StoredReceipt {
            tenant_id: row.try_get("tenant_id")?,
            command_id: row.try_get("command_id")?,
            body_digest: Hash::try_from(row.try_get::<&[u8], _>("body_digest")?).ok(),
            outcome: row.try_get("outcome")?,
            position: row.try_get("position")?,
            recorded_at: time(row)?,
        })
    });
    stored.collect()
}

/// The rows of `log.head`: there must be one.
pub async fn stored_heads(c: &mut PgConnection) -> Result<Vec<i64>, LogError> {
    Ok(sqlx::query_scalar("select position from log.head").fetch_all(c).await?)
}

fn time(row: &PgRow) -> Result<Option<Micros>, sqlx::Error> {
    Ok(row.try_get::<Option<OffsetDateTime>, _>("recorded_at")?.map(Into::into))
}

//! The SQL statements on the log's tables: the append, and the reads.

use sqlx::{PgConnection, Postgres, Row, query::QueryAs};
use time::OffsetDateTime;

use super::{
    LogError,
    append::{Prepared, Receipt},
    batch::{Moves, StreamHead},
    row::{bytes, parsed, recorded},
};
use crate::{CommandId, Hash, Micros, Position, Recorded, StreamId, TenantId, Version};

/// One statement, so that the head row, updated last, is locked until the commit but not for a round trip. It counts the
/// streams it updated and inserted; if one is missing (another process was first) it raises an error. An existing receipt is
/// a unique violation. Arrays are unnested in the select list, which Postgres walks in parallel; unnested in FROM, each would
/// be materialised first (10 % of the statement's time).
const APPEND: &str = "
with stream as (
  select unnest($1::text[]) as stream_id, unnest($2::text[]) as tenant_id, unnest($3::int8[]) as from_version,
         unnest($4::bytea[]) as from_hash, unnest($5::int8[]) as to_version, unnest($6::bytea[]) as to_hash,
         unnest($7::timestamptz[]) as recorded_at),
moved as (
  update log.streams t set version = s.to_version, hash = s.to_hash, recorded_at = s.recorded_at from stream s
   where s.from_version > 0 and t.stream_id = s.stream_id and t.tenant_id = s.tenant_id
     and t.version = s.from_version and t.hash = s.from_hash
  returning 1),
made as (
  insert into log.streams (stream_id, tenant_id, version, hash, recorded_at)
  select stream_id, tenant_id, to_version, to_hash, recorded_at from stream where from_version = 0
  on conflict do nothing returning 1),
head as (
  update log.head set position = position + case
      when position < $29 or epoch <> $30 or halted is not null then log.refuse_history(position, $29, halted)
      when (select count(*) from moved) + (select count(*) from made) = cardinality($1) then cardinality($8)
      else log.refuse_append('a stream has moved') end
   where id = 0 returning position),
event as (
  insert into log.events (position, event_id, event_type, schema_version, tenant_id, stream_id, version, actor, command_id,
    correlation_id, causation_id, recorded_at, data, metadata, previous_hash, hash)
  select h.position - cardinality($8) + e.n, e.event_id, e.event_type, e.schema_version, e.tenant_id, e.stream_id, e.version,
         e.actor, e.command_id, e.correlation_id, e.causation_id, e.recorded_at, e.data::json, e.metadata::json,
         e.previous_hash, e.hash
    from head h, (
      select unnest($8::text[]) as event_id, unnest($9::text[]) as event_type, unnest($10::int2[]) as schema_version,
             unnest($11::text[]) as tenant_id, unnest($12::text[]) as stream_id, unnest($13::int8[]) as version,
             unnest($14::text[]) as actor, unnest($15::text[]) as command_id, unnest($16::text[]) as correlation_id,
             unnest($17::text[]) as causation_id, unnest($18::timestamptz[]) as recorded_at, unnest($19::text[]) as data,
             unnest($20::text[]) as metadata, unnest($21::bytea[]) as previous_hash, unnest($22::bytea[]) as hash,
             generate_series(1, cardinality($8)) as n) e),
receipt as (
  insert into log.receipts (tenant_id, command_id, body_digest, outcome, position, recorded_at)
  select r.tenant_id, r.command_id, r.body_digest, r.outcome::json, h.position - cardinality($8) + r.n, r.recorded_at
    from head h, unnest($23::text[], $24::text[], $25::bytea[], $26::text[], $27::int8[], $28::timestamptz[])
      as r(tenant_id, command_id, body_digest, outcome, n, recorded_at))
select coalesce((select position from head), log.refuse_append('the head row is missing'))";

macro_rules! events {
    ($where:literal) => {
        concat!(
            "select position, version, recorded_at, schema_version, event_id, event_type, tenant_id, stream_id, actor,
                    command_id, correlation_id, causation_id, data::text as data, metadata::text as metadata,
                    previous_hash, hash from log.events ",
            $where
        )
    };
}

/// Positions per partition; equals `log.partition_size()`.
pub(super) const PARTITION_SIZE: u64 = 10_000_000;

/// Primary key of `log.receipts`; violated when a command has a receipt.
pub(super) const RECEIPT_KEY: &str = "receipts_pkey";
/// SQLSTATE of `log.refuse_append`: another append was first.
pub(super) const REFUSED: &str = "LU001";
/// SQLSTATE of `log.refuse_history`: the log is not the one that this process knows.
pub(super) const OTHER_HISTORY: &str = "LU002";

/// What a process knows of the log: its newest position, and its epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownLog<'a> {
    pub head: Position,
    pub epoch: &'a str,
}

/// Appends `accepted`, in the order of the log, all or nothing; returns the log's new head.
pub(super) async fn append(
    c: &mut PgConnection,
    accepted: &[&Prepared],
    moves: &Moves,
    now: Micros,
    known: KnownLog<'_>,
) -> Result<Position, sqlx::Error> {
    let streams: Vec<_> = moves.iter().collect();
    let events: Vec<&Recorded> = accepted.iter().flat_map(|append| &append.events).collect();
    let receipts = Receipts::of(accepted);
    let query = sqlx::query_as::<_, (i64,)>(APPEND)
        .bind(column(&streams, |(id, _)| id.to_string()))
        .bind(column(&streams, |(_, m)| m.to.tenant.to_string()))
        .bind(column(&streams, |(_, m)| m.from.map_or(0, |head| head.version.0 as i64)))
        .bind(column(&streams, |(_, m)| m.from.map(|head| head.hash)))
        .bind(column(&streams, |(_, m)| m.to.version.0 as i64))
        .bind(column(&streams, |(_, m)| m.to.hash))
        .bind(column(&streams, |(_, m)| m.to.recorded_at.date_time()));
    let (position,) = bind_events(query, &events)
        .bind(receipts.tenants)
        .bind(receipts.commands)
        .bind(receipts.digests)
        .bind(receipts.outcomes)
        .bind(receipts.ordinals)
        .bind(vec![now.date_time(); receipts.count])
        .bind(known.head.0 as i64)
        .bind(known.epoch)
        .fetch_one(c)
        .await?;
    Ok(Position(position as u64))
}

fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

type AppendQuery<'q> = QueryAs<'q, Postgres, (i64,), sqlx::postgres::PgArguments>;

fn bind_events<'q>(query: AppendQuery<'q>, events: &[&'q Recorded]) -> AppendQuery<'q> {
    query
        .bind(column(events, |e| e.event_id.to_string()))
        .bind(column(events, |e| e.event_type.as_str()))
        .bind(column(events, |e| e.schema_version as i16))
        .bind(column(events, |e| e.tenant_id.to_string()))
        .bind(column(events, |e| e.stream_id.to_string()))
        .bind(column(events, |e| e.version.0 as i64))
        .bind(column(events, |e| e.actor.to_string()))
        .bind(column(events, |e| e.command_id.as_str()))
        .bind(column(events, |e| e.correlation_id.to_string()))
        .bind(column(events, |e| e.causation_id.map(|id| id.to_string())))
        .bind(column(events, |e| e.recorded_at.date_time()))
        .bind(column(events, |e| e.data.as_str()))
        .bind(column(events, |e| e.metadata.as_str()))
        .bind(column(events, |e| e.previous_hash))
        .bind(column(events, |e| e.hash))
}

/// The receipts' columns; an ordinal is the number of the command's last event within the batch.
#[derive(Default)]
struct Receipts<'a> {
    count: usize,
    tenants: Vec<String>,
    commands: Vec<&'a str>,
    digests: Vec<Hash>,
    outcomes: Vec<&'a str>,
    ordinals: Vec<i64>,
}

impl<'a> Receipts<'a> {
    fn of(accepted: &[&'a Prepared]) -> Self {
        let mut columns = Self::default();
        let mut events = 0;
        for append in accepted {
            events += append.events.len() as i64;
            if let Some((receipt, outcome)) = &append.receipt {
                columns.count += 1;
                columns.tenants.push(append.tenant.to_string());
                columns.commands.push(append.command.as_str());
                columns.digests.push(receipt.body_digest);
                columns.outcomes.push(outcome);
                columns.ordinals.push(events);
            }
        }
        columns
    }
}

/// The heads of those streams that exist.
pub(super) async fn heads(
    c: &mut PgConnection,
    streams: &[StreamId],
) -> Result<Vec<(StreamId, StreamHead)>, sqlx::Error> {
    let names: Vec<String> = streams.iter().map(StreamId::to_string).collect();
    let rows = sqlx::query(
        "select stream_id, tenant_id, version, hash, recorded_at from log.streams where stream_id = any($1)",
    )
    .bind(names)
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            let head = StreamHead {
                tenant: row.try_get("tenant_id")?,
                version: Version(row.try_get::<i64, _>("version")? as u64),
                hash: row.try_get("hash")?,
                recorded_at: row.try_get::<OffsetDateTime, _>("recorded_at")?.into(),
            };
            Ok((parsed(row, "stream_id")?, head))
        })
        .collect()
}

/// The receipts of those commands that have one.
pub(super) async fn receipts(
    c: &mut PgConnection,
    keys: &[(TenantId, CommandId)],
) -> Result<Vec<((TenantId, CommandId), Receipt)>, sqlx::Error> {
    let rows = sqlx::query(
        "select r.tenant_id, r.command_id, r.body_digest, r.outcome::text as outcome, r.position
           from unnest($1::text[], $2::text[]) as k(tenant_id, command_id) join log.receipts r using (tenant_id, command_id)",
    )
    .bind(column(keys, |(tenant, _)| tenant.to_string()))
    .bind(column(keys, |(_, command)| command.to_string()))
    .fetch_all(c)
    .await?;
    rows.iter()
        .map(|row| {
            let outcome: &str = row.try_get("outcome")?;
            let receipt = Receipt {
                body_digest: row.try_get("body_digest")?,
                outcome: serde_json::from_str(outcome).map_err(|e| sqlx::Error::Decode(e.into()))?,
                position: Position(row.try_get::<i64, _>("position")? as u64),
            };
            Ok(((row.try_get("tenant_id")?, parsed(row, "command_id")?), receipt))
        })
        .collect()
}

/// Deletes receipts recorded before that time; returns their number.
pub(super) async fn delete_receipts(c: &mut PgConnection, before: Micros) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("delete from log.receipts where recorded_at < $1").bind(before.date_time()).execute(c).await?;
    Ok(done.rows_affected())
}

/// Events after a position, in order.
pub(super) async fn events_after(
    c: &mut PgConnection,
    after: Position,
    limit: usize,
) -> Result<Vec<Recorded>, LogError> {
    let rows = sqlx::query(events!("where position > $1 order by position limit $2"))
        .bind(after.0 as i64)
        .bind(limit as i64)
        .fetch_all(c)
        .await?;
    rows.iter().map(recorded).collect()
}

/// Events of one stream after a version, in order.
pub(super) async fn stream_after(
    c: &mut PgConnection,
    tenant: TenantId,
    stream: StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<Recorded>, LogError> {
    let rows =
        sqlx::query(events!("where tenant_id = $1 and stream_id = $2 and version > $3 order by version limit $4"))
            .bind(tenant)
            .bind(stream.to_string())
            .bind(after.0 as i64)
            .bind(limit as i64)
            .fetch_all(c)
            .await?;
    rows.iter().map(recorded).collect()
}

/// The hashes of the events at `from..=to`, up to the first missing position.
pub async fn hashes(c: &mut PgConnection, from: Position, to: Position) -> Result<Vec<Hash>, LogError> {
    let rows = sqlx::query("select position, hash from log.events where position between $1 and $2 order by position")
        .bind(from.0 as i64)
        .bind(to.0 as i64)
        .fetch_all(c)
        .await?;
    let mut hashes = Vec::with_capacity(rows.len());
    for (row, expected) in rows.iter().zip(from.0 as i64..) {
        if row.try_get::<i64, _>("position")? != expected {
            break;
        }
        hashes.push(bytes(row, "hash")?);
    }
    Ok(hashes)
}

/// The first event of a range whose content does not match its hash.
pub async fn first_broken(c: &mut PgConnection, from: Position, to: Position) -> Result<Option<Position>, LogError> {
    let position: Option<i64> = sqlx::query_scalar(
        "select position from log.events e where position between $1 and $2 and hash <> log.event_hash(e)
          order by position limit 1",
    )
    .bind(from.0 as i64)
    .bind(to.0 as i64)
    .fetch_optional(c)
    .await?;
    Ok(position.map(|position| Position(position as u64)))
}

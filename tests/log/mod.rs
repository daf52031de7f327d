//! The log against a real Postgres.

mod append;
mod blocked;
mod follow;
mod immutable;
mod inside;
mod lost;
mod processes;
mod read;
mod storm;
mod tenancy;

use luci_schema::{
    Actor, BlockEvent, BlockId, CommandId, CorrelationId, Event, RunId, Stage, StreamId, TenantId, Version,
    event::BlockStarted,
    log::{Append, Log, LogOptions, NewReceipt},
    migrate::{self, DatabaseRole},
};
use sqlx::PgPool;

use crate::support::Database;

/// A log as another process would open it.
async fn open(database: &Database) -> Log {
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 5).await.expect("a pool");
    Log::open(pool, LogOptions::default()).await.expect("a log")
}

/// An event that `provider` distinguishes from others.
fn event(provider: &str) -> Event {
    let started = BlockStarted {
        block_id: BlockId::generate(),
        stage: Stage::Enrich,
        block_number: 1,
        attempt: 1,
        provider: provider.into(),
    };
    BlockEvent::Started(started).into()
}

fn append(tenant: TenantId, stream: impl Into<StreamId>, expected: u64, events: usize) -> Append {
    Append {
        tenant,
        stream: stream.into(),
        expected: Version(expected),
        events: (0..events).map(|_| event("internal")).collect(),
        actor: Actor::System,
        command: CommandId::derive(&[&RunId::generate().to_string()]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    }
}

/// An append with a receipt for the command of this name.
fn command(tenant: TenantId, stream: impl Into<StreamId>, expected: u64, name: &str) -> Append {
    Append {
        command: CommandId::derive(&[name]),
        receipt: Some(NewReceipt { body_digest: [7; 32], outcome: serde_json::json!({ "runId": name }) }),
        ..append(tenant, stream, expected, 1)
    }
}

/// The whole log as the owner sees it: dense positions, dense versions in every stream, and every hash right.
async fn assert_whole(owner: &PgPool, events: i64) {
    let positions: (i64, i64, i64) =
        sqlx::query_as("select count(*), coalesce(max(position), 0), (select position from log.head) from log.events")
            .fetch_one(owner)
            .await
            .expect("the log");
    assert_eq!(positions, (events, events, events), "events, last position, head");
    let wrong: i64 = sqlx::query_scalar(
        "select count(*) from log.streams s cross join lateral log.verify_stream(s.stream_id) v where not v.ok",
    )
    .fetch_one(owner)
    .await
    .expect("verified");
    assert_eq!(wrong, 0, "events with a wrong hash, version or time");
    let behind: i64 = sqlx::query_scalar(
        "select count(*) from log.streams s where not exists (select from log.events e
          where e.stream_id = s.stream_id and e.version = s.version and e.hash = s.hash and e.recorded_at = s.recorded_at
            and s.version = (select count(*) from log.events c where c.stream_id = s.stream_id))",
    )
    .fetch_one(owner)
    .await
    .expect("compared");
    assert_eq!(behind, 0, "streams that are not where their events are");
}

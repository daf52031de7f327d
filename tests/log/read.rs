//! Reads from memory and from Postgres: in order, and never past a hole.

use std::time::Duration;

use luci_schema::{
    Position, RunId, TenantId, Version,
    log::{Log, LogError, LogOptions},
    migrate::{self, DatabaseRole},
};

use super::{append, open};
use crate::support;

#[tokio::test]
async fn memory_and_postgres_return_the_same_events() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 5).await.expect("a pool");
    let short = Log::open(pool, LogOptions { tail_events: 7, ..LogOptions::default() }).await.expect("a log");
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    for version in 0..10 {
        short.append(append(tenant, run, version * 3, 3)).await.expect("appended");
    }
    let fresh = open(&database).await;
    for after in 0..=30 {
        for limit in [1, 4, 100] {
            let (kept, stored) = (
                short.read(Position(after), limit).await.expect("read"),
                fresh.read(Position(after), limit).await.expect("read"),
            );
            assert!(!kept.is_empty() || after == 30);
            let together = kept.len().min(stored.len());
            assert_eq!(kept[..together], stored[..together], "after {after}, {limit} at most");
        }
    }
    let stream = fresh.read_stream(tenant, run.into(), Version(4), 5).await.expect("read");
    assert_eq!(stream.iter().map(|e| e.version.0).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    assert_eq!(*stream[0], *fresh.read(Position(4), 1).await.expect("read")[0]);
}

#[tokio::test]
async fn a_hole_stops_the_reader() {
    let database = support::database().await;
    let owner = database.pool().await;
    open(&database).await.append(append(TenantId::generate(), RunId::generate(), 0, 5)).await.expect("appended");
    sqlx::query("alter table log.events disable trigger all").execute(&owner).await.expect("disabled");
    sqlx::query("delete from log.events where position = 3").execute(&owner).await.expect("deleted by force");
    let log = open(&database).await;
    let hole = log.read(Position(0), 10).await;
    assert!(matches!(hole, Err(LogError::Hole { expected: Position(3), found: Position(4) })), "{hole:?}");
    assert!(matches!(log.read(Position(2), 10).await, Err(LogError::Hole { .. })));
    assert_eq!(log.read(Position(3), 10).await.expect("behind it").len(), 2);
}

#[tokio::test]
async fn missing_newest_events_stop_the_reader() {
    let database = support::database().await;
    let owner = database.pool().await;
    open(&database).await.append(append(TenantId::generate(), RunId::generate(), 0, 5)).await.expect("appended");
    sqlx::query("alter table log.events disable trigger all").execute(&owner).await.expect("disabled");
    sqlx::query("delete from log.events where position > 3").execute(&owner).await.expect("deleted by force");
    let log = open(&database).await;
    for after in [0, 3, 4] {
        let hole = log.read(Position(after), 10).await;
        let missing = Position(after.max(3) + 1);
        let found = matches!(hole, Err(LogError::Hole { expected, found: Position(5) }) if expected == missing);
        assert!(found, "after {after}: {hole:?}");
    }
    assert_eq!(log.read(Position(0), 3).await.expect("before it").len(), 3);
}

#[tokio::test]
async fn waiting_ends_with_an_append_or_with_the_time() {
    let database = support::database().await;
    let log = open(&database).await;
    assert_eq!(log.wait_past(Position(0), Duration::from_millis(20)).await, Position(0));
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait_past(Position(0), support::DEADLINE).await }
    });
    let appended = log.append(append(TenantId::generate(), RunId::generate(), 0, 1)).await.expect("appended");
    assert_eq!(waiting.await.expect("no panic"), appended.position());
    assert_eq!(log.read(Position(0), 10).await.expect("read"), appended.events);
}

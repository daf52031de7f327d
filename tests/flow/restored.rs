//! Postgres is restored to the past: no second history begins before an operator has accepted it, and then only one is left.

use luci_runs::relay::RelayError;
use luci_schema::{
    Position,
    log::{self, AppendError, Log},
};

use super::fixture::{assert_equal, chatter, first_event, log, quick, relay, relayed};
use crate::support::{self, Database, eventually};

/// Appends until the database answers, which the restore cut off; the reason of the refusal.
async fn refused(log: &Log) -> String {
    loop {
        match log.append(first_event()).await {
            Err(AppendError::Halted(reason)) => return reason,
            Err(AppendError::Database(error)) => eprintln!("not answered: {error}"),
            other => panic!("appended to a second history: {other:?}"),
        }
    }
}

async fn accept(database: &Database) -> Position {
    let owner = database.pool().await;
    let (position, _) = log::begin_epoch(&mut owner.acquire().await.expect("a connection")).await.expect("accepted");
    position
}

#[tokio::test]
async fn a_running_process_appends_nothing_to_a_log_that_went_back() {
    let database = support::database().await;
    let running = log(&database).await;
    chatter(&running, 20).await;
    let backup = database.backup().await;
    chatter(&running, 20).await;
    database.restore(backup).await;
    assert!(refused(&running).await.contains("restored to an earlier state"));
    // Processes that start now know of it too, as soon as one has seen it.
    eventually("the log is halted", async || {
        let pool = database.pool().await;
        log::halted(&mut pool.acquire().await.expect("a connection")).await.expect("read").is_some()
    })
    .await;
    let fresh = log(&database).await;
    assert!(refused(&fresh).await.contains("had reached 40"));

    assert_eq!(accept(&database).await, Position(20));
    let fresh = log(&database).await;
    chatter(&fresh, 30).await;
    assert_eq!(fresh.head(), Position(50));
    // The head is past what the old process knows, but its epoch is over.
    assert!(refused(&running).await.contains("restart it"));
}

#[tokio::test]
async fn a_relay_that_starts_after_a_restore_halts_the_log_until_it_is_accepted() {
    let (database, nats) = (support::database().await, support::nats().await);
    let before = log(&database).await;
    let relaying = relay(quick("one"), &before, nats.url()).await;
    chatter(&before, 20).await;
    let backup = database.backup().await;
    chatter(&before, 20).await;
    let client = nats.client().await;
    relayed(&client, &before).await;
    relaying.end().await;
    drop(before);
    database.restore(backup).await;

    let restored = log(&database).await;
    let relaying = relay(quick("one"), &restored, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
    assert!(matches!(error, RelayError::Ahead { .. }), "{error}");
    assert!(refused(&restored).await.contains("EVT ends at 40, the log at 20"));

    accept(&database).await;
    let accepted = log(&database).await;
    chatter(&accepted, 25).await;
    let relaying = relay(quick("one"), &accepted, nats.url()).await;
    eventually("EVT is published again", async || {
        let context = async_nats::jetstream::new(client.clone());
        let Ok(stream) = context.get_stream("EVT").await else { return false };
        let info = stream.cached_info();
        info.state.last_sequence == 45 && info.config.metadata.get("luci-epoch").is_some_and(|e| e == accepted.epoch())
    })
    .await;
    assert_equal(&client, &accepted).await;
    relaying.end().await;
}

#[tokio::test]
async fn a_stream_without_an_epoch_gets_the_logs() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 5).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    relaying.end().await;
    let context = async_nats::jetstream::new(client.clone());
    let mut config = context.get_stream("EVT").await.expect("EVT").cached_info().config.clone();
    config.metadata.clear();
    context.update_stream(&config).await.expect("as an older release made it");
    let relaying = relay(quick("one"), &log, nats.url()).await;
    eventually("the stream has the epoch", async || {
        let stream = context.get_stream("EVT").await.expect("EVT");
        stream.cached_info().config.metadata.get("luci-epoch").is_some_and(|found| found == log.epoch())
    })
    .await;
    relaying.end().await;
    assert_equal(&client, &log).await;
}

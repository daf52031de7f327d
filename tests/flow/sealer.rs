//! The log is sealed as it grows, and seals do not change.

use std::time::Duration;

use luci_runs::sealer::{self, SealerOptions, object_path};
use luci_schema::{
    ConfigEvent, Event, Position, TenantId, Version,
    event::TenantUpdated,
    log::{Log, followers, hashes, last_seal, seals_after},
    merkle::{leaf, root},
    seal::Seal,
};
use luci_storage::Storage;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fixture::{append, chatter, log, quick};
use crate::support::{self, eventually, seal_key};

fn store() -> Storage {
    Storage::local(support::temp_dir("seals"), "key".to_owned().into(), String::new()).expect("a folder")
}

fn sealing(owner: &str, every: Duration, log: &Log, storage: &Storage) -> (JoinHandle<()>, CancellationToken) {
    let options = SealerOptions { lease: quick(owner).lease, every, ..SealerOptions::owned_by(owner, seal_key()) };
    let stop = CancellationToken::new();
    (tokio::spawn(sealer::run(options, log.clone(), storage.clone(), stop.clone())), stop)
}

async fn last(log: &Log) -> Option<Seal> {
    last_seal(&mut log.pool().acquire().await.expect("a connection")).await.expect("answered")
}

/// Waits until the log is sealed up to a position and the store has the last seal, which is written after the row.
async fn sealed(log: &Log, storage: &Storage, to: u64) {
    eventually("the log is sealed", async || {
        let Some(seal) = last(log).await.filter(|seal| seal.to_position == Position(to)) else { return false };
        storage.get(&object_path(seal.seal_id)).await.is_ok()
    })
    .await;
}

/// Every seal follows the one before, is over the events that the log has, and is in the store.
async fn assert_sealed(log: &Log, storage: &Storage) -> usize {
    let mut c = log.pool().acquire().await.expect("a connection");
    let seals = seals_after(&mut c, 0, 1_000).await.expect("answered");
    let mut before = None;
    for seal in &seals {
        assert_eq!(seal.check(before), Ok(()));
        let hashes = hashes(&mut c, seal.from_position, seal.to_position).await.expect("answered");
        let leaves: Vec<_> = (seal.from_position.0..).zip(&hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        assert_eq!(root(&leaves), seal.root);
        let copy = storage.get(&object_path(seal.seal_id)).await.expect("a copy");
        assert_eq!(serde_json::from_slice::<Seal>(&copy).expect("a seal"), *seal);
        before = Some(seal);
    }
    seals.len()
}

#[tokio::test]
async fn successive_sealers_seal_everything_that_is_appended() {
    let (database, storage) = (support::database().await, store());
    let log = log(&database).await;
    chatter(&log, 25).await;
    let (first, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, &storage, 25).await;
    first.abort();
    chatter(&log, 5).await;
    // Without its checkpoint a sealer continues from the last seal.
    let lost = "update log.followers set position = 7 where name = 'seals'";
    sqlx::query(lost).execute(log.pool()).await.expect("moved");
    let (second, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, &storage, 30).await;
    second.abort();
    // A sealer that is stopped seals what it has read, long before the time is due. It has a log of its own: an event is in
    // that log's memory only when the sealer has read it.
    let read_by_third = super::fixture::log(&database).await;
    let (third, stop) = sealing("one", Duration::from_secs(3_600), &read_by_third, &storage);
    chatter(&log, 3).await;
    eventually("the third sealer has read all", async || read_by_third.in_memory(Position(33)).is_some()).await;
    stop.cancel();
    third.await.expect("no panic");
    assert_eq!(last(&log).await.expect("a seal").to_position, Position(33));
    assert!(assert_sealed(&log, &storage).await >= 3);
}

#[tokio::test]
async fn a_long_log_is_sealed_by_ranges_of_ten_thousand() {
    let (database, storage) = (support::database().await, store());
    let log = log(&database).await;
    let tenant = TenantId::generate();
    for hundred in 0..205_u64 {
        let event = |n| Event::Config(ConfigEvent::TenantUpdated(TenantUpdated { active_runs: n }));
        append(&log, tenant, tenant.into(), Version(hundred * 100), (1..=100).map(event).collect()).await;
    }
    // Long before the time is due: full seals need none, and the stop seals the rest.
    let read_by_sealer = super::fixture::log(&database).await;
    let (sealer, stop) = sealing("one", Duration::from_secs(3_600), &read_by_sealer, &storage);
    eventually("the sealer has read all", async || read_by_sealer.in_memory(Position(20_500)).is_some()).await;
    stop.cancel();
    sealer.await.expect("no panic");
    let mut c = log.pool().acquire().await.expect("a connection");
    let ends: Vec<u64> =
        seals_after(&mut c, 0, 9).await.expect("answered").iter().map(|seal| seal.to_position.0).collect();
    assert_eq!(ends, [10_000, 20_000, 20_500]);
    drop(c);
    assert_sealed(&log, &storage).await;
}

#[tokio::test]
async fn a_seal_of_another_history_in_the_store_is_not_replaced() {
    let (database, restored, storage) = (support::database().await, support::database().await, store());
    let (log, other) = (log(&database).await, super::fixture::log(&restored).await);
    chatter(&log, 3).await;
    let (first, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, &storage, 3).await;
    first.abort();
    let evidence = storage.get(&object_path(1)).await.expect("a copy");
    chatter(&other, 4).await;
    let (second, _) = sealing("two", Duration::from_millis(100), &other, &storage);
    eventually("it says why it stands still", async || {
        let all = followers(&mut other.pool().acquire().await.expect("a connection")).await.expect("answered");
        let why = all.into_iter().find(|f| f.name == "seals").and_then(|f| f.last_error);
        why.is_some_and(|why| why.contains("the store has another seal 1"))
    })
    .await;
    second.abort();
    assert_eq!(storage.get(&object_path(1)).await.expect("a copy"), evidence);
}

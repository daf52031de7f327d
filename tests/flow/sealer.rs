//! The log is signed as it grows, and what was signed stays.

use std::time::Duration;

use luci_engine::{
    sealer::{self, SealerOptions, object_path},
    storage::Storage,
};
use luci_schema::{
    ConfigEvent, Event, Position, TenantId, Version,
    event::TenantUpdated,
    log::{Log, followers, hashes, last_seal, seals_after},
    merkle::{leaf, root},
    seal::Seal,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ground::{append, chatter, eventually, log, quick};
use crate::support::{self, seal_key};

fn store() -> Storage {
    Storage::local(support::room("seals"), "key".to_owned().into(), String::new()).expect("a folder")
}

fn sealing(owner: &str, every: Duration, log: &Log, storage: &Storage) -> (JoinHandle<()>, CancellationToken) {
    let options = SealerOptions { tenure: quick(owner).tenure, every, ..SealerOptions::owned_by(owner, seal_key()) };
    let stop = CancellationToken::new();
    (tokio::spawn(sealer::run(options, log.clone(), storage.clone(), stop.clone())), stop)
}

async fn last(log: &Log) -> Option<Seal> {
    last_seal(&mut log.pool().acquire().await.expect("a connection")).await.expect("asked")
}

async fn sealed(log: &Log, to: u64) {
    eventually("it is sealed", async || last(log).await.is_some_and(|seal| seal.to_position == Position(to))).await;
}

/// Every seal follows the one before, is over the events that the log has, and is in the store.
async fn assert_sealed(log: &Log, storage: &Storage) -> usize {
    let mut c = log.pool().acquire().await.expect("a connection");
    let seals = seals_after(&mut c, 0, 1_000).await.expect("asked");
    let mut before = None;
    for seal in &seals {
        assert_eq!(seal.check(before), Ok(()));
        let hashes = hashes(&mut c, seal.from_position, seal.to_position).await.expect("asked");
        let leaves: Vec<_> = (seal.from_position.0..).zip(&hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        assert_eq!(root(&leaves), seal.root);
        let copy = storage.get(&object_path(seal.seal_id)).await.expect("a copy");
        assert_eq!(serde_json::from_slice::<Seal>(&copy).expect("a seal"), *seal);
        before = Some(seal);
    }
    seals.len()
}

#[tokio::test]
async fn what_is_appended_is_sealed_by_one_process_after_another() {
    let (database, storage) = (support::database().await, store());
    let log = log(&database).await;
    chatter(&log, 25).await;
    let (first, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, 25).await;
    first.abort();
    chatter(&log, 5).await;
    // Wherever its place in the log was lost to: what is sealed says where to go on.
    let lost = "update log.followers set position = 7 where name = 'seals'";
    sqlx::query(lost).execute(log.pool()).await.expect("moved");
    let (second, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, 30).await;
    second.abort();
    // One that is told to stop seals what there is, and needs no time for it.
    let (third, stop) = sealing("one", Duration::from_secs(3_600), &log, &storage);
    chatter(&log, 3).await;
    eventually("it has read them", async || log.head() == Position(33)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
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
    let (sealer, _) = sealing("one", Duration::from_millis(300), &log, &storage);
    sealed(&log, 20_500).await;
    sealer.abort();
    let mut c = log.pool().acquire().await.expect("a connection");
    let ends: Vec<u64> =
        seals_after(&mut c, 0, 9).await.expect("asked").iter().map(|seal| seal.to_position.0).collect();
    assert_eq!(ends[..2], [10_000, 20_000], "{ends:?}");
    drop(c);
    assert_sealed(&log, &storage).await;
}

#[tokio::test]
async fn what_the_store_has_of_another_history_is_not_replaced() {
    let (database, restored, storage) = (support::database().await, support::database().await, store());
    let (log, other) = (log(&database).await, super::ground::log(&restored).await);
    chatter(&log, 3).await;
    let (first, _) = sealing("one", Duration::from_millis(100), &log, &storage);
    sealed(&log, 3).await;
    first.abort();
    let evidence = storage.get(&object_path(1)).await.expect("a copy");
    chatter(&other, 4).await;
    let (second, _) = sealing("two", Duration::from_millis(100), &other, &storage);
    eventually("it says why it stands still", async || {
        let told = followers(&mut other.pool().acquire().await.expect("a connection")).await.expect("asked");
        let why = told.into_iter().find(|f| f.name == "seals").and_then(|f| f.last_error);
        why.is_some_and(|why| why.contains("the store has another seal 1"))
    })
    .await;
    second.abort();
    assert_eq!(storage.get(&object_path(1)).await.expect("a copy"), evidence);
}

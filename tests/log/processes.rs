//! Several processes append at once: all followers see the same dense order.

use std::{collections::HashMap, time::Duration};

use futures::future::join_all;
use luci_schema::{
    Position, RunId, TenantId,
    log::{AppendError, Chain, Log},
};

use super::{append, assert_whole, open};
use crate::support;

/// Follows the log from its start until it has seen a number of events; checks order, holes and hashes on the way.
async fn follow(log: Log, until: u64) -> Vec<luci_schema::Hash> {
    let (mut at, mut chains, mut hashes) = (Position(0), HashMap::new(), Vec::new());
    while at.0 < until {
        log.wait_past(at, support::DEADLINE).await;
        for event in log.read(at, 100).await.expect("no hole") {
            assert_eq!(event.position.0, at.0 + 1);
            chains
                .entry(event.stream_id)
                .or_insert_with(|| Chain::new(event.stream_id))
                .follow(&event)
                .expect("a chain");
            hashes.push(event.hash);
            at = event.position;
        }
    }
    hashes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_make_one_dense_log() {
    let database = support::database().await;
    let logs = [open(&database).await, open(&database).await, open(&database).await];
    let tenant = TenantId::generate();
    let shared: Vec<RunId> = (0..4).map(|_| RunId::generate()).collect();
    let followers: Vec<_> = logs.iter().map(|log| tokio::spawn(follow(log.clone(), 3 * 8 * 25))).collect();
    let callers = logs.iter().flat_map(|log| (0..8).map(move |caller| (log.clone(), caller))).map(|(log, caller)| {
        let shared = shared.clone();
        tokio::spawn(async move {
            let own = RunId::generate();
            let (mut at_own, mut at_shared) = (0, 0);
            for turn in 0..25 {
                if turn % 2 == 0 {
                    at_own = log.append(append(tenant, own, at_own, 1)).await.expect("its own").version().0;
                    continue;
                }
                loop {
                    match log.append(append(tenant, shared[caller % 4], at_shared, 1)).await {
                        Ok(appended) => break at_shared = appended.version().0,
                        Err(AppendError::Conflict { actual }) => at_shared = actual.0,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("no panic");
    }
    assert_whole(&database.pool().await, 600).await;
    let mut seen = Vec::new();
    for follower in followers {
        seen.push(tokio::time::timeout(Duration::from_secs(20), follower).await.expect("in time").expect("no panic"));
    }
    assert!(seen.iter().all(|hashes| *hashes == seen[0] && hashes.len() == 600), "all saw the same");
}

#[tokio::test]
async fn another_process_learns_of_an_append() {
    let database = support::database().await;
    let (here, there) = (open(&database).await, open(&database).await);
    // If the listener is not connected yet, the poll finds the event.
    for position in 1..=5 {
        here.append(append(TenantId::generate(), RunId::generate(), 0, 1)).await.expect("appended");
        let head = there.wait_past(Position(position - 1), support::DEADLINE).await;
        assert_eq!(head.0, position);
        assert_eq!(there.read(Position(position - 1), 10).await.expect("read").len(), 1);
    }
}

//! Concurrent appends: one winner per version, one set of events per command.

use std::collections::BTreeMap;

use futures::future::join_all;
use luci_schema::{RunId, TenantId, log::AppendError};

use super::{append, assert_whole, command, open};
use crate::support;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_callers_on_one_stream_one_wins_each_version() {
    let database = support::database().await;
    let logs = [open(&database).await, open(&database).await];
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    let callers = (0..64).map(|caller| {
        let log = logs[caller % 2].clone();
        tokio::spawn(async move {
            let (mut expected, mut won) = (0, Vec::new());
            while won.len() < 5 {
                match log.append(append(tenant, run, expected, 1)).await {
                    Ok(appended) => {
                        expected = appended.version().0;
                        won.push(expected);
                    }
                    Err(AppendError::Conflict { actual }) => {
                        assert_ne!(actual.0, expected, "a conflict names another version");
                        expected = actual.0;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            won
        })
    });
    let mut winners = BTreeMap::new();
    for caller in join_all(callers).await {
        for version in caller.expect("no panic") {
            assert_eq!(winners.insert(version, ()), None, "version {version} was won twice");
        }
    }
    assert_eq!(winners.len(), 320);
    assert_whole(&database.pool().await, 320).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_command_100_times_at_once_is_carried_out_once() {
    let database = support::database().await;
    let logs = [open(&database).await, open(&database).await];
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    let callers = (0..100).map(|caller| {
        let log = logs[caller % 2].clone();
        // Half of them use a new run, as a start without a run id does.
        let run = if caller % 4 < 2 { run } else { RunId::generate() };
        tokio::spawn(async move { log.append(command(tenant, run, 0, "start")).await })
    });
    let (mut done, mut receipts) = (Vec::new(), Vec::new());
    for answer in join_all(callers).await {
        match answer.expect("no panic") {
            Ok(appended) => done.push(appended.position()),
            Err(AppendError::AlreadyDone(receipt)) => receipts.push(receipt.position),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((done.len(), receipts.len()), (1, 99));
    assert!(receipts.iter().all(|position| *position == done[0]));
    let streams: i64 = sqlx::query_scalar("select count(*) from log.streams")
        .fetch_one(&database.pool().await)
        .await
        .expect("counted");
    assert_eq!(streams, 1);
    assert_whole(&database.pool().await, 1).await;
}

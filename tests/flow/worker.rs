//! Blocks are executed although workers die, and recorded once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _};
use luci_runs::core::RunCommand;
use luci_schema::{BlockEvent, Event, Stage};

use super::{
    fixture::{assert_equal, relayed},
    process::{Caller, Process, Role},
    stages::{Act, acting, gated, kinds, passing},
};
use crate::support::{self, eventually};

const FOREVER: Duration = Duration::from_secs(3_600);

fn all(kinds: Vec<Arc<dyn luci_runs::block::BlockKind>>) -> [Role; 3] {
    [Role::Relay, Role::Clock, Role::Worker(kinds)]
}

#[tokio::test]
async fn a_run_passes_all_its_stages() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let process = Process::start("one", &database, &nats, &all(passing()));
    let run = caller.queue(4).await;
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    assert_eq!(caller.count(run, "block:started").await, 1, "only the stage that calls out says so");
    let client = nats.client().await;
    relayed(&client, &caller.log).await;
    assert_equal(&client, &caller.log).await;
    process.end().await;
}

#[tokio::test]
async fn blocks_of_a_dead_worker_are_executed_by_another() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    // The first call of each stage never ends.
    let act: Act = Arc::new(|called| {
        async move {
            if called.before == 0 {
                tokio::time::sleep(FOREVER).await;
            }
            Ok(())
        }
        .boxed()
    });
    let calls = Arc::<Mutex<Vec<Stage>>>::default();
    let _others = Process::start("others", &database, &nats, &[Role::Relay, Role::Clock]);
    let run = caller.queue(4).await;
    for stage in super::stages::STAGES {
        let worker = Process::start("worker", &database, &nats, &[Role::Worker(kinds(&calls, &act))]);
        eventually("the stage is called", async || calls.lock().expect("held").contains(&stage)).await;
        eventually("it says so", async || {
            let started = |e: &Event| matches!(e, Event::Block(BlockEvent::Started(s)) if s.stage == stage);
            caller.events(run).await.iter().any(|e| started(&e.event))
        })
        .await;
        worker.kill();
    }
    let worker = Process::start("worker", &database, &nats, &[Role::Worker(kinds(&calls, &act))]);
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    for recorded in caller.events(run).await {
        if let Event::Block(BlockEvent::Completed(completed)) = &recorded.event {
            assert_eq!(completed.attempt, 2, "the first attempt was fenced");
        }
    }
    worker.end().await;
}

#[tokio::test]
async fn a_cancelled_run_stops_its_workers_and_their_work_is_recorded() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let kinds = acting(|called| {
        async move {
            if called.stage == Stage::Validate {
                called.stop.cancelled().await;
            }
            Ok(())
        }
        .boxed()
    });
    let process = Process::start("one", &database, &nats, &all(kinds));
    let run = caller.queue(4).await;
    caller.comes(run, "block:started").await;
    caller.command(run, RunCommand::Cancel).await;
    caller.comes(run, "block:cancelled").await;
    let events = caller.events(run).await;
    let cancelled = events.iter().find_map(|e| match &e.event {
        Event::Block(BlockEvent::Cancelled(cancelled)) => Some(cancelled.clone()),
        _ => None,
    });
    assert_eq!(cancelled.expect("one").report.expect("what was done").counts.success, 10);
    process.end().await;
}

#[tokio::test]
async fn a_block_that_panics_fails_and_affects_no_other_block() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let kinds = acting(|called| {
        async move {
            assert!(called.stage != Stage::Validate || called.before > 0, "a bug of the stage");
            Ok(())
        }
        .boxed()
    });
    let process = Process::start("one", &database, &nats, &all(kinds));
    let broken = caller.queue(4).await;
    caller.comes(broken, "run:failed").await;
    let events = caller.events(broken).await;
    let failed = events.iter().find_map(|e| match &e.event {
        Event::Block(BlockEvent::Failed(failed)) => Some(failed.failure.code),
        _ => None,
    });
    assert_eq!(failed, Some(luci_schema::FailureCode::Internal));
    let sound = caller.queue(4).await;
    caller.comes(sound, "run:completed").await;
    caller.command(broken, RunCommand::RetryRun).await;
    caller.comes(broken, "run:completed").await;
    caller.assert_completed(broken).await;
    process.end().await;
}

#[tokio::test]
async fn a_broker_wiped_under_a_run_loses_nothing() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let (gate, act) = gated(Stage::Validate);
    let kinds = kinds(&Arc::default(), &act);
    let process = Process::start("one", &database, &nats, &all(kinds));
    let (early, late) = (caller.queue(4).await, caller.queue(4).await);
    gate.add_permits(1);
    let ended = async || caller.count(early, "run:completed").await + caller.count(late, "run:completed").await;
    eventually("one completes", async || ended().await == 1).await;
    nats.wipe().await;
    let after = caller.queue(4).await;
    nats.restart().await;
    // Stale deliveries of all earlier blocks, a second delivery of the running block, and new work.
    gate.add_permits(100);
    for run in [early, late, after] {
        caller.comes(run, "run:completed").await;
        caller.assert_completed(run).await;
    }
    let client = nats.client().await;
    relayed(&client, &caller.log).await;
    let context = async_nats::jetstream::new(client.clone());
    eventually("every delivery is acknowledged", async || {
        let stream = context.get_stream("EVT").await.expect("EVT");
        let info = stream.consumer_info("worker_validate").await.expect("the consumer");
        info.num_ack_pending == 0 && info.num_pending == 0
    })
    .await;
    process.end().await;
    assert_equal(&client, &caller.log).await;
}

/// Waits until one delivery of a consumer has had a number of heartbeats.
async fn heartbeats(client: &async_nats::Client, consumer: &str, many: usize) {
    let mut acks = client.subscribe(format!("$JS.ACK.EVT.{consumer}.>")).await.expect("subscribed");
    let mut beats: HashMap<String, usize> = HashMap::new();
    let enough = async {
        while beats.values().all(|of_one| *of_one < many) {
            let ack = acks.next().await.expect("connected");
            if ack.payload.as_ref() == b"+WPI" {
                *beats.entry(ack.subject.to_string()).or_default() += 1;
            }
        }
    };
    tokio::time::timeout(support::DEADLINE, enough).await.expect("heartbeats in time");
}

#[tokio::test]
async fn a_block_in_another_process_is_not_started_again_after_the_broker_was_lost() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let (gate, act) = gated(Stage::Enrich);
    let calls = Arc::<Mutex<Vec<Stage>>>::default();
    let others = Process::start("others", &database, &nats, &[Role::Relay, Role::Clock]);
    let one = Process::start("one", &database, &nats, &[Role::Worker(kinds(&calls, &act))]);
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(caller.queue(6).await);
    }
    for run in &runs {
        caller.comes(*run, "block:started").await;
    }
    // A second process is delivered some of the blocks that the first is executing.
    let two = Process::start("two", &database, &nats, &[Role::Worker(kinds(&calls, &act))]);
    nats.wipe().await;
    nats.restart().await;
    let context = async_nats::jetstream::new(nats.client().await);
    eventually("each is delivered again", async || {
        let Ok(stream) = context.get_stream("EVT").await else { return false };
        stream.consumer_info("worker_enrich").await.is_ok_and(|info| info.num_ack_pending == runs.len())
    })
    .await;
    // Fifteen heartbeats take three times `ack_wait`, after which the broker redelivers a block without heartbeats.
    heartbeats(&nats.client().await, "worker_enrich", 15).await;
    gate.add_permits(100);
    for run in &runs {
        caller.comes(*run, "run:completed").await;
        caller.assert_completed(*run).await;
        assert_eq!(caller.count(*run, "block:started").await, 1, "what was paid for is not paid for again");
    }
    assert_eq!(calls.lock().expect("held").iter().filter(|stage| **stage == Stage::Enrich).count(), runs.len());
    for process in [others, one, two] {
        process.end().await;
    }
}

#[tokio::test]
async fn a_stopped_worker_returns_blocks_that_exceed_the_drain_time() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let _others = Process::start("others", &database, &nats, &[Role::Relay, Role::Clock]);
    let slow = acting(|_| tokio::time::sleep(FOREVER).map(|()| Ok(())).boxed());
    let worker = Process::start("slow", &database, &nats, &[Role::Worker(slow)]);
    let run = caller.queue(4).await;
    caller.comes(run, "block:started").await;
    worker.end().await;
    let worker = Process::start("quick", &database, &nats, &[Role::Worker(passing())]);
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    worker.end().await;
}

#[tokio::test]
async fn a_stopped_worker_ends_its_calls_and_returns_the_block_unrecorded() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let _others = Process::start("others", &database, &nats, &[Role::Relay, Role::Clock]);
    // What a stage does at a stop: it makes no further call and reports what it has.
    let stopping = acting(|called| {
        async move {
            called.stop.cancelled().await;
            Ok(())
        }
        .boxed()
    });
    let worker = Process::start("stopping", &database, &nats, &[Role::Worker(stopping)]);
    let run = caller.queue(4).await;
    caller.comes(run, "block:started").await;
    worker.end().await;
    assert_eq!(caller.count(run, "block:completed").await, 0, "a part is not the block");
    let worker = Process::start("quick", &database, &nats, &[Role::Worker(passing())]);
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    worker.end().await;
}

#[tokio::test]
async fn a_run_survives_a_database_outage() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let (gate, act) = gated(Stage::Validate);
    let kinds = kinds(&Arc::default(), &act);
    let process = Process::start("one", &database, &nats, &all(kinds));
    let run = caller.queue(4).await;
    caller.comes(run, "block:started").await;
    database.close().await;
    gate.add_permits(100);
    // The length of the outage: longer than one retry.
    tokio::time::sleep(Duration::from_secs(4)).await;
    database.open().await;
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    for recorded in caller.events(run).await {
        if let Event::Block(BlockEvent::Completed(completed)) = &recorded.event {
            assert_eq!(completed.attempt, 1, "nothing was done twice");
        }
    }
    let client = nats.client().await;
    relayed(&client, &caller.log).await;
    assert_equal(&client, &caller.log).await;
    process.end().await;
}

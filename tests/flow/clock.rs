//! The clock: the limit of active runs, retries when they are due, and failover to another clock.

use futures::FutureExt as _;
use luci_runs::block::BlockFault;
use luci_schema::{Event, FailureCode, RunEvent, RunId, Stage};

use super::{
    process::{Caller, Process, Role},
    stages::{acting, passing},
};
use crate::support::{self, eventually};

/// The runs that started, oldest first: those let in at once start in any order.
async fn started(caller: &Caller) -> Vec<RunId> {
    let events = super::fixture::events(&caller.log).await;
    let own = events.iter().filter(|e| e.tenant_id == caller.tenant);
    let started = own.filter(|e| matches!(e.event, Event::Run(RunEvent::Started(_))));
    let mut started: Vec<RunId> = started.filter_map(|e| e.stream_id.to_string().parse().ok()).collect();
    started.sort_unstable();
    started
}

#[tokio::test]
async fn the_oldest_runs_start_first_and_never_more_than_the_limit() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    // The runs whose blocks may pass.
    let (opened, gate) = tokio::sync::watch::channel(Vec::<RunId>::new());
    let kinds = acting(move |called| {
        let mut gate = gate.clone();
        async move {
            if called.stage == Stage::Enrich {
                gate.wait_for(|runs| runs.contains(&called.run)).await.expect("open");
            }
            Ok(())
        }
        .boxed()
    });
    let others = Process::start("others", &database, &nats, &[Role::Relay, Role::Worker(kinds)]);
    let clock = Process::start("first", &database, &nats, &[Role::Clock]);
    let mut runs = Vec::new();
    for _ in 0..7 {
        runs.push(caller.queue(2).await);
    }
    eventually("two start", async || started(&caller).await.len() == 2).await;
    // The clock has seen all seven when a later run, of a tenant with a limit of its own, has started.
    let later = Caller::new(&database).await;
    let run = later.queue(1).await;
    later.comes(run, "run:started").await;
    assert_eq!(started(&caller).await, runs[..2], "no more than two");
    clock.kill();
    opened.send_replace(vec![runs[0]]);
    let clock = Process::start("second", &database, &nats, &[Role::Clock]);
    eventually("the third starts", async || started(&caller).await == runs[..3]).await;
    clock.end().await;
    let clock = Process::start("third", &database, &nats, &[Role::Clock]);
    opened.send_replace(runs.iter().copied().chain([run]).collect());
    for run in &runs {
        caller.comes(*run, "run:completed").await;
        caller.assert_completed(*run).await;
    }
    assert_eq!(started(&caller).await, runs);
    clock.end().await;
    others.end().await;
    let left: i64 = sqlx::query_scalar("select count(*) from admissions")
        .fetch_one(&database.pool().await)
        .await
        .expect("the clock's table");
    assert_eq!(left, 0, "ended runs are forgotten");
}

#[tokio::test]
async fn a_failed_block_is_retried_when_due_even_by_another_clock() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let kinds = acting(|called| {
        async move {
            if called.stage == Stage::Enrich && called.before == 0 {
                return Err(BlockFault::new(FailureCode::ApiError, "the provider is unavailable"));
            }
            Ok(())
        }
        .boxed()
    });
    let others = Process::start("others", &database, &nats, &[Role::Relay, Role::Worker(kinds)]);
    let clock = Process::start("first", &database, &nats, &[Role::Clock]);
    let run = caller.queue(4).await;
    caller.comes(run, "block:failed").await;
    let pool = database.pool().await;
    eventually("the timer is saved", async || {
        let timers: i64 =
            sqlx::query_scalar("select count(*) from timers").fetch_one(&pool).await.expect("the clock's table");
        timers == 1
    })
    .await;
    clock.kill();
    let clock = Process::start("second", &database, &nats, &[Role::Clock]);
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    assert_eq!(caller.count(run, "block:retried").await, 1);
    assert_eq!(caller.count(run, "block:failed").await, 1);
    let events = caller.events(run).await;
    let at = |name: &str| events.iter().find(|e| e.event_type == name).expect("one").recorded_at;
    let waited = at("block:retried").0 - at("block:failed").0;
    assert!(waited >= 4_990_000, "not before it was due: {waited} µs");
    clock.end().await;
    others.end().await;
}

#[tokio::test]
async fn dropped_tables_are_folded_again() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let clock = Process::start("first", &database, &nats, &[Role::Clock]);
    let runs = [caller.queue(1).await, caller.queue(1).await];
    caller.comes(runs[0], "run:started").await;
    clock.end().await;
    let pool = database.pool().await;
    for statement in ["delete from admissions", "delete from timers", "delete from admission_limits"] {
        sqlx::query(statement).execute(&pool).await.expect("emptied");
    }
    let mut c = pool.acquire().await.expect("a connection");
    luci_schema::log::delete_follower(&mut c, "clock").await.expect("deleted");
    let process = Process::start("second", &database, &nats, &[Role::Relay, Role::Clock, Role::Worker(passing())]);
    for run in runs {
        caller.comes(run, "run:completed").await;
        assert_eq!(caller.count(run, "run:started").await, 1);
    }
    process.end().await;
}

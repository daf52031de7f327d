//! The stream equals the log, whatever happens to relay and broker; what the log does not hold is never overwritten.

use futures::StreamExt as _;
use luci_runs::relay::{RelayError, RelayState};
use luci_schema::log::{AppendError, followers};

use super::fixture::{assert_equal, chatter, first_event, log, log_named, quick, relay, relayed};
use crate::support::{self, DEADLINE, eventually};

#[tokio::test]
async fn the_stream_equals_the_log_after_kills_of_the_relay() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    for round in 0..5 {
        let relaying = relay(quick("one"), &log, nats.url()).await;
        chatter(&log, 200).await;
        if round % 2 == 0 {
            // During publishing: nothing is drained, the lease is not released.
            relaying.task.abort();
        } else {
            relaying.end().await;
        }
    }
    let relaying = relay(quick("one"), &log, nats.url()).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    assert_equal(&client, &log).await;
    relaying.end().await;
}

#[tokio::test]
async fn a_wiped_broker_gets_the_whole_log_again() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 300).await;
    relayed(&nats.client().await, &log).await;
    nats.wipe().await;
    // Commands go on without a broker.
    chatter(&log, 50).await;
    nats.restart().await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    assert_equal(&client, &log).await;
    nats.kill().await;
    chatter(&log, 50).await;
    nats.restart().await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    assert_equal(&client, &log).await;
    relaying.end().await;
}

#[tokio::test]
async fn a_standby_takes_over() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let (first, second) = (quick("one"), quick("two"));
    let health = second.health.clone();
    let active = relay(first, &log, nats.url()).await;
    let client = nats.client().await;
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    let standby = relay(second, &log_named("standby", &database).await, nats.url()).await;
    // Only the lease's own pool ends each use of a connection with a rollback.
    let tried = "select exists (select from pg_stat_activity
                  where datname = current_database() and application_name = 'standby' and query like '%rollback%')";
    let owner = database.pool().await;
    eventually("the standby has tried to take the lease", async || {
        sqlx::query_scalar(tried).fetch_one(&owner).await.expect("connections")
    })
    .await;
    let held = followers(&mut owner.acquire().await.expect("a connection")).await.expect("followers");
    assert_eq!(held[0].owner.as_deref(), Some("one"));
    assert_eq!(health.state(), RelayState::Standby);
    active.task.abort();
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    assert_eq!(health.state(), RelayState::Following);
    assert_equal(&client, &log).await;
    standby.end().await;
}

#[tokio::test]
async fn subscribers_get_each_event_once_although_the_stream_is_rebuilt() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let mut events = nats.client().await.subscribe("luci.>").await.expect("subscribed");
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 20).await;
    relayed(&nats.client().await, &log).await;
    for position in 1..=20 {
        let message = tokio::time::timeout(DEADLINE, events.next()).await.expect("in time").expect("an event");
        let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(body["sequence"], format!("{position:020}"));
    }
    nats.wipe().await;
    nats.restart().await;
    let mut events = nats.client().await.subscribe("luci.>").await.expect("subscribed");
    relayed(&nats.client().await, &log).await;
    chatter(&log, 1).await;
    let message = tokio::time::timeout(DEADLINE, events.next()).await.expect("in time").expect("an event");
    let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
    assert_eq!(body["sequence"], format!("{:020}", 21));
    relaying.end().await;
}

#[tokio::test]
async fn a_stream_ahead_of_the_log_stops_the_relay() {
    let (full, empty, nats) = (support::database().await, support::database().await, support::nats().await);
    let (full, empty) = (log(&full).await, log(&empty).await);
    let relaying = relay(quick("one"), &full, nats.url()).await;
    chatter(&full, 10).await;
    relayed(&nats.client().await, &full).await;
    relaying.end().await;
    chatter(&empty, 5).await;
    let options = quick("one");
    let health = options.health.clone();
    let relaying = relay(options, &empty, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
    assert!(matches!(error, RelayError::Ahead { .. }), "{error}");
    assert!(health.unhealthy().expect("a reason").contains("restored"));
    assert_equal(&nats.client().await, &full).await;

    let refused = empty.append(first_event()).await.expect_err("no second history begins");
    assert!(matches!(&refused, AppendError::Halted(reason) if reason.contains("restored")), "{refused}");
    empty.resume().await.expect("an operator connects it anyway");
    chatter(&empty, 5).await;
    let relaying = relay(quick("one"), &empty, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("as long, but another history");
    assert!(matches!(error, RelayError::Diverged { .. }), "{error}");
    let all = luci_schema::log::followers(&mut empty.pool().acquire().await.expect("a connection")).await;
    let stopped = all.expect("followers").into_iter().find(|f| f.name == "relay").expect("the relay");
    assert!(stopped.last_error.expect("the reason stays in the database").contains("do not"));
}

#[tokio::test]
async fn another_programs_stream_is_not_touched() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let context = async_nats::jetstream::new(nats.client().await);
    let config = async_nats::jetstream::stream::Config {
        name: "EVT".into(),
        subjects: vec!["theirs.>".into()],
        ..Default::default()
    };
    context.create_stream(config).await.expect("a stream");
    let relaying = relay(quick("one"), &log, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_relay_waits_for_a_broker_that_is_not_there_yet() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    nats.stop().await;
    let options = quick("one");
    let health = options.health.clone();
    let relaying = relay(options, &log, nats.url()).await;
    chatter(&log, 5).await;
    eventually("it says that it waits", async || matches!(health.state(), RelayState::Waiting(_))).await;
    nats.restart().await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    assert_equal(&client, &log).await;
    relaying.end().await;
}

//! The stream equals the log, whatever happens to relay and broker; what the log does not hold is never overwritten.

use std::time::Duration;

use futures::StreamExt as _;
use luci_engine::relay::{RelayError, RelayState};

use super::ground::{assert_equal, chatter, eventually, log, quick, relay, relayed};
use crate::support;

#[tokio::test]
async fn the_stream_equals_the_log_after_kills_of_the_relay() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    for round in 0..5 {
        let relaying = relay(quick("one"), &log, nats.url()).await;
        chatter(&log, 200).await;
        if round % 2 == 0 {
            // In the middle of publishing: nothing is drained, no lease is given back.
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
async fn one_standing_by_takes_over() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let (first, second) = (quick("one"), quick("two"));
    let health = second.health.clone();
    let active = relay(first, &log, nats.url()).await;
    let client = nats.client().await;
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    let standby = relay(second, &log, nats.url()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(health.state(), RelayState::Standby);
    active.task.abort();
    chatter(&log, 20).await;
    relayed(&client, &log).await;
    assert_eq!(health.state(), RelayState::Following);
    assert_equal(&client, &log).await;
    standby.end().await;
}

#[tokio::test]
async fn watchers_hear_each_event_once_though_the_stream_is_made_again() {
    let (database, mut nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let mut heard = nats.client().await.subscribe("luci.>").await.expect("subscribed");
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 20).await;
    relayed(&nats.client().await, &log).await;
    for position in 1..=20 {
        let message = tokio::time::timeout(Duration::from_secs(5), heard.next()).await.expect("heard").expect("one");
        let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(body["sequence"], format!("{position:020}"));
    }
    nats.wipe().await;
    nats.restart().await;
    let mut heard = nats.client().await.subscribe("luci.>").await.expect("subscribed");
    relayed(&nats.client().await, &log).await;
    chatter(&log, 1).await;
    let message = tokio::time::timeout(Duration::from_secs(5), heard.next()).await.expect("heard").expect("one");
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

    chatter(&empty, 5).await;
    let relaying = relay(quick("one"), &empty, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("as long, but another history");
    assert!(matches!(error, RelayError::Diverged { .. }), "{error}");
    let told = luci_schema::log::followers(&mut empty.pool().acquire().await.expect("a connection")).await;
    let told = told.expect("followers").into_iter().find(|f| f.name == "relay").expect("the relay");
    assert!(told.last_error.expect("the reason stays in the database").contains("do not"));
}

#[tokio::test]
async fn another_programs_stream_is_left_alone() {
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

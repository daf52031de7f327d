//! What others do to EVT is found and repaired from the log.

use std::time::Duration;

use async_nats::jetstream::{self, stream::Config};
use futures::StreamExt as _;
use luci_runs::relay::RelayError;

use super::fixture::{assert_equal, chatter, log, quick, relay, relayed};
use crate::support::{self, eventually};

/// Publishes a message that is not LUCI's; answers its sequence.
async fn publish_foreign(context: &jetstream::Context) -> u64 {
    let sent = context.publish("evt.nobody.run.started", "{}".into()).await.expect("sent");
    sent.await.expect("stored").sequence
}

/// Gives EVT an age limit, and removes the messages before `first`, as when they have expired.
async fn expire(context: &jetstream::Context, first: u64) {
    let info = context.get_stream("EVT").await.expect("EVT").cached_info().clone();
    let kept = Config { max_age: Duration::from_secs(3_600), max_messages: -1, ..info.config };
    let update = async |config: Config| drop(context.update_stream(config).await.expect("updated"));
    update(kept.clone()).await;
    match (info.state.last_sequence + 1).saturating_sub(first) {
        // No limit by number removes the last message.
        0 => {
            let short = Duration::from_millis(100);
            update(Config { max_age: short, duplicate_window: short, ..kept.clone() }).await;
            eventually("all have expired", async || ends(context).await.0 == first).await;
        }
        rest => update(Config { max_messages: i64::try_from(rest).expect("small"), ..kept.clone() }).await,
    }
    update(kept).await;
}

/// First and last message of EVT.
async fn ends(context: &jetstream::Context) -> (u64, u64) {
    let stream = context.get_stream("EVT").await.expect("EVT");
    let state = &stream.cached_info().state;
    (state.first_sequence, state.last_sequence)
}

/// Waits until EVT ends at the head with all messages, and compares each.
async fn repaired(client: &async_nats::Client, log: &luci_schema::log::Log) {
    let context = jetstream::new(client.clone());
    eventually("EVT has the log's events alone", async || {
        let head = log.newest().await.expect("the head");
        let Ok(stream) = context.get_stream("EVT").await else { return false };
        let state = &stream.cached_info().state;
        (state.first_sequence, state.last_sequence, state.messages) == (1, head.0, head.0)
    })
    .await;
    assert_equal(client, log).await;
}

#[tokio::test]
async fn a_foreign_message_is_removed_while_the_relay_runs() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 50).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    publish_foreign(&jetstream::new(client.clone())).await;
    repaired(&client, &log).await;
    // Events are published after the repair as before.
    chatter(&log, 10).await;
    repaired(&client, &log).await;
    relaying.end().await;
}

#[tokio::test]
async fn a_foreign_message_below_the_head_is_removed() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 50).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    relaying.end().await;
    let foreign = publish_foreign(&jetstream::new(client.clone())).await;
    // The log has an event of that position now.
    chatter(&log, 20).await;
    assert!(log.head().0 > foreign);
    let relaying = relay(quick("one"), &log, nats.url()).await;
    repaired(&client, &log).await;
    relaying.end().await;
}

#[tokio::test]
async fn limits_that_dropped_messages_are_removed_and_the_messages_published_again() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 50).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    let context = jetstream::new(client.clone());
    let config = context.get_stream("EVT").await.expect("EVT").cached_info().config.clone();
    context.update_stream(Config { max_messages: 1, ..config.clone() }).await.expect("limited");
    context.update_stream(Config { max_messages: -1, ..config.clone() }).await.expect("unlimited");
    repaired(&client, &log).await;

    // Left limited: the relay takes the limit back.
    context.update_stream(Config { max_messages: 5, ..config }).await.expect("limited");
    repaired(&client, &log).await;
    chatter(&log, 20).await;
    repaired(&client, &log).await;
    relaying.end().await;
}

#[tokio::test]
async fn an_event_of_another_log_is_never_removed() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 50).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    relaying.end().await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Luci-Hash", "5a".repeat(32));
    let context = jetstream::new(client.clone());
    let sent = context.publish_with_headers("evt.nobody.run.started", headers, "{}".into()).await.expect("sent");
    sent.await.expect("stored");
    let relaying = relay(quick("one"), &log, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
    assert!(matches!(error, RelayError::Ahead { .. }), "{error}");
    log.resume().await.expect("an operator says that the log is right, and leaves the stream as it is");
    chatter(&log, 20).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
    assert!(matches!(error, RelayError::Diverged { .. }), "{error}");
}

#[tokio::test]
async fn events_that_the_log_lost_are_kept_although_the_first_of_them_expired() {
    let (full, empty, nats) = (support::database().await, support::database().await, support::nats().await);
    let (full, empty) = (log(&full).await, log(&empty).await);
    let relaying = relay(quick("one"), &full, nats.url()).await;
    chatter(&full, 200).await;
    let context = jetstream::new(nats.client().await);
    relayed(&nats.client().await, &full).await;
    relaying.end().await;
    chatter(&empty, 5).await;
    // Some can be read; then none.
    for first in [190, 201] {
        expire(&context, first).await;
        let relaying = relay(quick("one"), &empty, nats.url()).await;
        let error = relaying.task.await.expect("no panic").expect_err("an operator must look");
        assert!(matches!(error, RelayError::Ahead { .. }), "{error}");
        assert_eq!(ends(&context).await, (first, 200), "nothing was removed");
    }
}

#[tokio::test]
async fn an_age_limit_that_is_set_while_the_relay_runs_is_not_taken_for_damage() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(quick("one"), &log, nats.url()).await;
    chatter(&log, 50).await;
    let client = nats.client().await;
    relayed(&client, &log).await;
    let context = jetstream::new(client.clone());
    expire(&context, 21).await;
    // The idle relay has asked for the counts, and has compared them before it asks again.
    let mut asked = client.subscribe("$JS.API.STREAM.INFO.EVT").await.expect("subscribed");
    for _ in 0..2 {
        tokio::time::timeout(support::DEADLINE, asked.next()).await.expect("in time").expect("a request");
    }
    assert_eq!(ends(&context).await, (21, 50), "not published again");
    relaying.end().await;
}

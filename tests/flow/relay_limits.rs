//! A limited EVT loses its oldest messages, and never one that a worker still needs.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, Consumer, pull},
    stream::Stream,
};
use futures::StreamExt as _;
use luci_runs::{
    broker::{self, EvtOptions},
    relay::RelayOptions,
    worker::consumer_name,
};
use luci_schema::{Stage, subject::work_filter};

use super::fixture::{chatter, log, quick, relay, relayed};
use crate::support::{self, Nats, eventually, found};

/// Looks for old messages all the time, and may remove what was just published.
fn limited(max_age: Option<Duration>, max_bytes: Option<u64>) -> RelayOptions {
    let evt = EvtOptions { max_age, max_bytes, min_age: Duration::ZERO, ..EvtOptions::default() };
    RelayOptions { evt, prune_every: Duration::from_millis(50), ..quick("one") }
}

/// Once the relay has made it.
async fn stream(nats: &Nats) -> Stream {
    let jetstream = jetstream::new(nats.client().await);
    found("stream EVT", async || jetstream.get_stream("EVT").await.ok()).await
}

async fn first(stream: &Stream) -> u64 {
    stream.get_info().await.expect("an answer").state.first_sequence
}

/// Consumers as workers make them; those of all stages but one have a filter that nothing matches.
async fn consumers(stream: &Stream, busy: Stage, filter: &str) -> Consumer<pull::Config> {
    for stage in Stage::ALL {
        let config = pull::Config {
            durable_name: Some(consumer_name(stage)),
            ack_policy: AckPolicy::Explicit,
            filter_subject: if stage == busy { filter.to_owned() } else { work_filter(stage) },
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.expect("made");
    }
    stream.get_consumer(&consumer_name(busy)).await.expect("it is there")
}

/// Takes and acknowledges the next messages.
async fn acknowledge(consumer: &Consumer<pull::Config>, count: usize) {
    let mut batch = consumer.fetch().max_messages(count).messages().await.expect("a batch");
    while let Some(message) = batch.next().await {
        message.expect("a message").double_ack().await.expect("acknowledged");
    }
}

#[tokio::test]
async fn old_messages_are_removed_once_every_stage_has_acknowledged_them() {
    for options in [limited(None, Some(1)), limited(Some(Duration::ZERO), None)] {
        let (database, nats) = (support::database().await, support::nats().await);
        let log = log(&database).await;
        let relaying = relay(options, &log, nats.url()).await;
        chatter(&log, 40).await;
        let (client, stream) = (nats.client().await, stream(&nats).await);
        relayed(&client, &log).await;
        assert!(!broker::keeps_all(&stream.cached_info().config));
        // No worker has run: it would need all.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(first(&stream).await, 1);
        let consumer = consumers(&stream, Stage::Enrich, "evt.>").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(first(&stream).await, 1, "a stage has acknowledged none");
        acknowledge(&consumer, 15).await;
        eventually("what was acknowledged is gone", async || first(&stream).await == 16).await;
        acknowledge(&consumer, 25).await;
        eventually("all but the last is gone", async || first(&stream).await == 40).await;
        chatter(&log, 5).await;
        relayed(&client, &log).await;
        relaying.end().await;
    }
}

#[tokio::test]
async fn a_relay_takes_a_stream_without_its_beginning_for_whole_if_it_is_limited() {
    let (database, nats) = (support::database().await, support::nats().await);
    let log = log(&database).await;
    let relaying = relay(limited(None, Some(1)), &log, nats.url()).await;
    chatter(&log, 20).await;
    let (client, stream) = (nats.client().await, stream(&nats).await);
    relayed(&client, &log).await;
    acknowledge(&consumers(&stream, Stage::Push, "evt.>").await, 20).await;
    eventually("all but the last is gone", async || first(&stream).await == 20).await;
    relaying.end().await;
    // Also one that has no limits of its own any more.
    let relaying = relay(quick("two"), &log, nats.url()).await;
    chatter(&log, 5).await;
    relayed(&client, &log).await;
    assert_eq!(first(&stream).await, 20, "it was not published again");
    relaying.end().await;
}

//! Blocks that the broker will never deliver are found by the clock and executed.

use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use futures::StreamExt as _;

use super::{
    fixture::relayed,
    process::{Caller, Process, Role},
    stages::passing,
};
use crate::support::{self, Nats};

/// The consumer of VALIDATE, created by a stranger.
async fn consumer(nats: &Nats) -> Consumer<pull::Config> {
    let context = async_nats::jetstream::new(nats.client().await);
    let stream = context.get_stream("EVT").await.expect("EVT");
    let config = pull::Config {
        durable_name: Some("worker_validate".into()),
        ack_policy: AckPolicy::Explicit,
        filter_subject: "evt.*.block.queued.validate".into(),
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.expect("created")
}

#[tokio::test]
async fn blocks_acknowledged_by_a_stranger_are_executed() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let others = Process::start("others", &database, &nats, &[Role::Relay, Role::Clock]);
    let import = passing().remove(0);
    let importer = Process::start("importer", &database, &nats, &[Role::Worker(vec![import])]);
    let run = caller.queue(4).await;
    caller.comes(run, "block:completed").await;
    relayed(&nats.client().await, &caller.log).await;
    let consumer = consumer(&nats).await;
    let stolen = consumer.messages().await.expect("messages").next().await.expect("one").expect("readable");
    stolen.double_ack().await.expect("acknowledged");
    let workers = Process::start("workers", &database, &nats, &[Role::Worker(passing())]);
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    for process in [others, importer, workers] {
        process.end().await;
    }
}

#[tokio::test]
async fn a_consumer_whose_filter_was_edited_is_made_again() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let process = Process::start("one", &database, &nats, &[Role::Relay, Role::Clock, Role::Worker(passing())]);
    let first = caller.queue(4).await;
    caller.comes(first, "run:completed").await;
    let context = async_nats::jetstream::new(nats.client().await);
    let stream = context.get_stream("EVT").await.expect("EVT");
    let mut config = stream.consumer_info("worker_validate").await.expect("the consumer").config;
    config.filter_subject = "evt.*.block.queued.nothing".into();
    stream.update_consumer(config).await.expect("edited");
    let run = caller.queue(4).await;
    caller.comes(run, "run:completed").await;
    caller.assert_completed(run).await;
    process.end().await;
}

//! Tests of the support: a database is new, a broker keeps its address.

use super::{database, database::make_template, nats};

#[tokio::test]
async fn two_databases_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(database(), database());
    let (one, other) = (one.pool().await, other.pool().await);
    sqlx::query("create table only_here (n int)").execute(&one).await.expect("created");
    sqlx::query("create table only_here (n int)").execute(&other).await.expect("created there too");
}

#[tokio::test]
async fn a_template_is_made_after_tests_were_cancelled_while_they_made_it() {
    for millis in [0, 5, 20, 80, 200] {
        // Wherever it is by then.
        drop(tokio::time::timeout(std::time::Duration::from_millis(millis), make_template()).await);
    }
    make_template().await;
}

#[tokio::test]
async fn a_wiped_broker_comes_back_empty_on_the_same_address() {
    let mut broker = nats().await;
    let address = broker.url().to_owned();
    let jetstream = async_nats::jetstream::new(broker.client().await);
    let config = || async_nats::jetstream::stream::Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config()).await.expect("a stream");
    jetstream.publish("kept.1", "x".into()).await.expect("sent").await.expect("stored");
    broker.restart().await;
    let jetstream = async_nats::jetstream::new(broker.client().await);
    let mut stream = jetstream.get_stream("KEPT").await.expect("survives a restart");
    assert_eq!(stream.info().await.expect("info").state.messages, 1);
    broker.wipe().await;
    broker.restart().await;
    let jetstream = async_nats::jetstream::new(broker.client().await);
    assert!(jetstream.get_stream("KEPT").await.is_err(), "wiped");
    assert_eq!(broker.url(), address);
}

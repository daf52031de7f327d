//! Checks after a crash: nothing lost, nothing twice, tables equal to a fresh fold.

use async_nats::jetstream;
use futures::StreamExt;
use luci_projections::drift;
use luci_schema::{
    Position,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use serde_json::Value;

use super::fixture::Fixture;
use crate::support::{DEADLINE, Database, Nats, found, output};

/// Completed, every lead accounted for at every stage, and everything below holds.
pub async fn came_through(fixture: &Fixture, run: &str, leads: u64) {
    let detail = fixture.luci.api().run_ended(run).await;
    assert_eq!(detail["run"]["status"], "completed", "{:#}", detail["run"]);
    assert_eq!(detail["run"]["totalLeads"], leads);
    assert_eq!(detail["run"]["processedLeads"], leads);
    balanced(&detail, leads);
    nothing_twice(&fixture.database).await;
    let log = open(&fixture.database).await;
    whole(&fixture.database).await;
    tables_equal_a_fresh_fold(&fixture.database, &log).await;
    stream_equals_the_log(&log, &fixture.nats).await;
    as_it_was_sealed(fixture).await;
}

/// Database and store hold the same seals, over the events that the log has.
async fn as_it_was_sealed(fixture: &Fixture) {
    let database = [("LUCI_DATABASE_URL", fixture.database.url())];
    let audit = output(&fixture.luci.data_dir, &["audit", "seals"], &database).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

/// Over every stage: what went in is what came out of the one before.
fn balanced(detail: &Value, leads: u64) {
    let stages = detail["stages"].as_array().unwrap_or_else(|| panic!("stages in {detail:#}"));
    assert_eq!(stages.len(), 7);
    let mut expected = leads;
    for stage in stages {
        let metrics = &stage["metrics"];
        let of = |name: &str| metrics[name].as_u64().unwrap_or_else(|| panic!("{name} in {stage:#}"));
        let (success, no_match, failed) = (of("successCount"), of("noMatchCount"), of("failedCount"));
        assert_eq!(of("inputCount"), expected, "{stage:#}");
        assert_eq!(of("processedCount"), success + no_match + failed, "{stage:#}");
        assert_eq!(of("inputCount"), of("processedCount") + of("skippedCount"), "{stage:#}");
        expected = success + no_match + of("skippedCount");
    }
}

/// No lead stands in a queue twice, and each queued message has one attempt.
async fn nothing_twice(database: &Database) {
    let owner = database.pool().await;
    let (sms, sms_leads): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct lead_id) from sms_queue").fetch_one(&owner).await.expect("sms");
    let (calls, call_leads): (i64, i64) = sqlx::query_as("select count(*), count(distinct lead_id) from dialer_queue")
        .fetch_one(&owner)
        .await
        .expect("calls");
    let (attempts, keys): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct (channel, lead_id)) from attempt_logs")
            .fetch_one(&owner)
            .await
            .expect("attempts");
    assert!(sms > 0 && calls > 0, "{sms} messages, {calls} calls");
    assert_eq!((sms, calls), (sms_leads, call_leads));
    assert_eq!((attempts, keys), (sms + calls, sms + calls));
}

pub async fn open(database: &Database) -> Log {
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 4).await.expect("a pool");
    Log::open(pool, LogOptions::default()).await.expect("the log")
}

/// Positions and versions without a hole, every hash right.
pub async fn whole(database: &Database) {
    let owner = database.pool().await;
    let (count, last, head): (i64, i64, i64) =
        sqlx::query_as("select count(*), max(position), (select position from log.head) from log.events")
            .fetch_one(&owner)
            .await
            .expect("events");
    assert_eq!((last, head), (count, count));
    let wrong: i64 = sqlx::query_scalar(
        "select count(*) from log.streams s, lateral log.verify_stream(s.stream_id) v where not v.ok",
    )
    .fetch_one(&owner)
    .await
    .expect("verified");
    assert_eq!(wrong, 0, "events with a wrong hash");
}

async fn tables_equal_a_fresh_fold(database: &Database, log: &Log) {
    let pool = migrate::connect(database.url(), DatabaseRole::Projector, 4).await.expect("a pool");
    let drift = drift::check(&pool, log, luci_projections::all(), None, &|_| {}).await.expect("checked");
    assert!(drift.rows > 0);
    assert!(drift.differences.is_empty(), "{:#?}", drift.differences);
}

/// Message by message: sequence and body. The relay is given a minute to catch up.
pub async fn stream_equals_the_log(log: &Log, nats: &Nats) {
    let head = log.newest().await.expect("the head");
    let context = jetstream::new(nats.client().await);
    let stream = found("the stream has the whole log", async || {
        let stream = context.get_stream("EVT").await.ok()?;
        (stream.cached_info().state.last_sequence >= head.0).then_some(stream)
    })
    .await;
    let config = jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    let mut position = Position(0);
    while position < head {
        for event in log.read(position, 1_000).await.expect("events") {
            let message = tokio::time::timeout(DEADLINE, messages.next()).await.expect("a message in time");
            let message = message.expect("as many messages as events").expect("a message");
            assert_eq!(message.info().expect("of JetStream").stream_sequence, event.position.0);
            assert_eq!(message.payload, event.cloud_event().as_bytes());
            position = event.position;
        }
    }
}

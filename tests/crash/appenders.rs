//! Sixty-four appenders in four processes that are killed in turn: log and JetStream stay complete.

use std::{collections::HashMap, process::Child, time::Duration};

use luci_runs::relay::{self, RelayOptions};
use luci_schema::{
    Actor, BlockId, CommandId, CorrelationId, RunId, Stage, StreamId, TenantId, Version,
    event::{BlockEvent, BlockStarted},
    log::{Append, AppendError, Chain, Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{children, evidence};
use crate::support;

const CHILD: &str = "crash::appenders::child";
const PROCESSES: usize = 4;
const APPENDERS: usize = 16;
/// Fewer streams than appenders, so that all processes compete for them.
const STREAMS: u128 = 40;

fn stream(number: u128) -> StreamId {
    StreamId::Run(RunId::from_ulid(ulid::Ulid(0x0193_5000_0000_0000_0000_0000_0000_0000 + number)))
}

fn tenant() -> TenantId {
    TenantId::from_ulid(ulid::Ulid(0x0193_4000_0000_0000_0000_0000_0000_0001))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(url) = children::url_for(CHILD) else { return };
    let pool = migrate::connect(&url, DatabaseRole::Engine, 4).await.expect("a pool");
    let log = Log::open(pool, LogOptions::default()).await.expect("the log");
    let appenders = (0..APPENDERS).map(|number| {
        let log = log.clone();
        tokio::spawn(async move { append_for_ever(&log, number as u128).await })
    });
    futures::future::join_all(appenders).await;
}

async fn append_for_ever(log: &Log, seed: u128) {
    let mut versions: HashMap<StreamId, Version> = HashMap::new();
    let pid = u128::from(std::process::id());
    for turn in 0_u128.. {
        let stream = stream((turn * 7 + seed * 13 + pid) % STREAMS);
        let expected = versions.get(&stream).copied().unwrap_or_default();
        let events = (0..1 + turn % 5).map(|n| started(n as u32)).collect();
        let append = Append {
            tenant: tenant(),
            stream,
            expected,
            events,
            actor: Actor::System,
            command: CommandId::derive(&[&pid.to_string(), &seed.to_string(), &turn.to_string()]),
            correlation: CorrelationId::generate(),
            causation: None,
            receipt: None,
        };
        match log.append(append).await {
            Ok(appended) => versions.insert(stream, appended.version()),
            Err(AppendError::Conflict { actual }) => versions.insert(stream, actual),
            Err(error) => panic!("{error}"),
        };
    }
}

fn started(attempt: u32) -> luci_schema::Event {
    let block_id = BlockId::generate();
    let provider = "internal".to_owned();
    BlockEvent::Started(BlockStarted { block_id, stage: Stage::Score, block_number: 1, attempt, provider }).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_appenders_leave_the_log_whole_and_the_stream_equal() {
    let database = support::database().await;
    let nats = support::nats().await;
    let owner = database.pool().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 4).await.expect("a pool");
    let log = Log::open(pool, LogOptions::default()).await.expect("the log");
    let stop = CancellationToken::new();
    let relay =
        tokio::spawn(relay::run(RelayOptions::owned_by("test"), log.clone(), nats.client().await, stop.clone()));

    kill_one_again_and_again(database.url(), &owner).await;

    whole(&owner).await;
    every_hash_is_right(&owner, &log).await;
    evidence::stream_equals_the_log(&log, &nats).await;
    stop.cancel();
    relay.await.expect("no panic").expect("the relay ended well");
}

/// Kills every 2.5 seconds, but not before 125 events were appended since the last kill.
async fn kill_one_again_and_again(url: &str, owner: &PgPool) {
    let mut processes: Vec<Child> = (0..PROCESSES).map(|_| children::spawn(CHILD, url)).collect();
    let mut enough = 0;
    for turn in 0..(children::seconds() * 2).div_ceil(5) {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        enough = support::found("125 events more", async || {
            let head = head(owner).await;
            (head >= enough).then_some(head + 125)
        })
        .await;
        let victim = &mut processes[turn as usize % PROCESSES];
        assert!(victim.try_wait().expect("its state").is_none(), "an appender ended by itself");
        victim.kill().expect("killed");
        victim.wait().expect("reaped");
        *victim = children::spawn(CHILD, url);
    }
    for mut process in processes {
        process.kill().expect("killed");
        process.wait().expect("reaped");
    }
}

async fn head(owner: &PgPool) -> i64 {
    sqlx::query_scalar("select position from log.head").fetch_one(owner).await.expect("a head")
}

/// Positions 1..N and every stream's versions without a hole; the head says N.
async fn whole(owner: &PgPool) {
    // A statement of a killed process may still be committing. This process appends nothing and has no such connection.
    let appenders = "select count(*) from pg_stat_activity
                      where datname = current_database() and application_name = 'luci-append'";
    support::eventually("the connections of killed appenders have ended", async || {
        sqlx::query_scalar::<_, i64>(appenders).fetch_one(owner).await.expect("connections") == 0
    })
    .await;
    let (count, first, last): (i64, i64, i64) =
        sqlx::query_as("select count(*), min(position), max(position) from log.events")
            .fetch_one(owner)
            .await
            .expect("events");
    assert_eq!((first, last, head(owner).await), (1, count, count));
    let torn: i64 = sqlx::query_scalar(
        "select count(*) from (select e.stream_id from log.events e join log.streams s using (stream_id)
          group by e.stream_id, s.version
         having count(*) <> max(e.version) or min(e.version) <> 1 or max(e.version) <> s.version) torn",
    )
    .fetch_one(owner)
    .await
    .expect("streams");
    assert_eq!(torn, 0, "streams with a hole");
}

async fn every_hash_is_right(owner: &PgPool, log: &Log) {
    for number in 0..STREAMS {
        let stream = self::stream(number);
        let wrong: i64 = sqlx::query_scalar("select count(*) from log.verify_stream($1) where not ok")
            .bind(stream.to_string())
            .fetch_one(owner)
            .await
            .expect("verified");
        assert_eq!(wrong, 0, "{stream} in SQL");
        let mut chain = Chain::new(stream);
        let mut after = Version(0);
        loop {
            let events = log.read_stream(tenant(), stream, after, 1_000).await.expect("events");
            let Some(last) = events.last() else { break };
            after = last.version;
            events.iter().for_each(|event| chain.follow(event).unwrap_or_else(|error| panic!("{error}")));
        }
    }
}

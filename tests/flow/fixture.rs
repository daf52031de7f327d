//! Fixture: a log with events, a relay, and comparisons of stream EVT with the log.

use std::{sync::Arc, time::Duration};

use luci_runs::relay::{self, RelayError, RelayOptions};
use luci_schema::{
    Actor, CommandId, ConfigEvent, CorrelationId, Event, Position, Recorded, StreamId, TenantId, Version,
    event::TenantUpdated,
    log::{Append, Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Database, eventually};

pub async fn log(database: &Database) -> Log {
    log_at(database.url()).await
}

pub async fn log_at(url: &str) -> Log {
    let pool = migrate::connect(url, DatabaseRole::Engine, 8).await.expect("a pool");
    Log::open(pool, LogOptions::default()).await.expect("a log")
}

/// A log whose connections have a name in `pg_stat_activity`.
pub async fn log_named(name: &str, database: &Database) -> Log {
    let options: PgConnectOptions = database.url().parse().expect("our own url");
    let options = options.application_name(name).options([("role", DatabaseRole::Engine.as_str())]);
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await.expect("a pool");
    Log::open(pool, LogOptions::default()).await.expect("a log")
}

/// Appends `count` small events to a stream of a new tenant, one by one.
pub async fn chatter(log: &Log, count: u32) {
    let tenant = TenantId::generate();
    for n in 0..count {
        let event = Event::Config(ConfigEvent::TenantUpdated(TenantUpdated { active_runs: n + 1 }));
        append(log, tenant, tenant.into(), Version(n.into()), vec![event]).await;
    }
}

pub async fn append(log: &Log, tenant: TenantId, stream: StreamId, expected: Version, events: Vec<Event>) {
    log.append(request(tenant, stream, expected, events)).await.expect("appended");
}

/// One event of a new tenant.
pub fn first_event() -> Append {
    let tenant = TenantId::generate();
    let event = Event::Config(ConfigEvent::TenantUpdated(TenantUpdated { active_runs: 1 }));
    request(tenant, tenant.into(), Version(0), vec![event])
}

fn request(tenant: TenantId, stream: StreamId, expected: Version, events: Vec<Event>) -> Append {
    Append {
        tenant,
        stream,
        expected,
        events,
        actor: Actor::System,
        command: CommandId::derive(&[&stream.to_string(), &expected.to_string()]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    }
}

/// Every event, in order.
pub async fn events(log: &Log) -> Vec<Arc<Recorded>> {
    let head = log.newest().await.expect("the head");
    let mut all: Vec<Arc<Recorded>> = Vec::new();
    while let at = all.last().map_or(Position(0), |e| e.position)
        && at < head
    {
        all.extend(log.read(at, 1_000).await.expect("readable"));
    }
    all
}

/// A running relay: its task and its stop token.
pub struct Relaying {
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), RelayError>>,
}

impl Relaying {
    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("no error");
    }
}

pub async fn relay(options: RelayOptions, log: &Log, url: &str) -> Relaying {
    let client = luci_runs::broker::connect(url, "relay").await.expect("an address");
    let stop = CancellationToken::new();
    let task = tokio::spawn(relay::run(options, log.clone(), client, stop.clone()));
    Relaying { stop, task }
}

/// Options with a short lease and frequent renewals.
pub fn quick(owner: &str) -> RelayOptions {
    let mut options = RelayOptions::owned_by(owner);
    options.lease.ttl = Duration::from_millis(900);
    options.lease.renew = Duration::from_millis(200);
    options
}

/// Waits until EVT ends at the log's head.
pub async fn relayed(client: &async_nats::Client, log: &Log) {
    let context = async_nats::jetstream::new(client.clone());
    eventually("EVT ends at the log's head", async || {
        let head = log.newest().await.expect("the head");
        match context.get_stream("EVT").await {
            Ok(stream) => stream.cached_info().state.last_sequence == head.0,
            Err(_) => false,
        }
    })
    .await;
}

/// EVT equals the log, message by message: sequence, subject, headers and body.
pub async fn assert_equal(client: &async_nats::Client, log: &Log) {
    let context = async_nats::jetstream::new(client.clone());
    let stream = context.get_stream("EVT").await.expect("EVT");
    let events = events(log).await;
    let state = &stream.cached_info().state;
    assert_eq!((state.first_sequence, state.messages), (1, events.len() as u64));
    for event in &events {
        let message = stream.get_raw_message(event.position.0).await.expect("a message");
        assert_eq!(message.subject.as_str(), event.stream_subject());
        let header = |name: &str| message.headers.get(name).expect("a header").to_string();
        assert_eq!(header("Luci-Hash"), hex::encode(event.hash));
        assert_eq!(header("Luci-Version"), event.version.to_string());
        assert_eq!(header("Luci-Stream"), event.stream_id.to_string());
        assert_eq!(std::str::from_utf8(&message.payload).expect("text"), event.cloud_event());
    }
}

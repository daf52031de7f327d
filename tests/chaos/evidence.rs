//! Log and stream: dense, chained, and the same.

use std::collections::BTreeMap;

use async_nats::jetstream;
use futures::StreamExt;
use luci_schema::{
    Position,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use sqlx::{Connection, PgConnection};

use crate::support::{DEADLINE, Nats, found};

async fn owner(url: &str) -> Result<PgConnection, String> {
    PgConnection::connect(url).await.map_err(|error| error.to_string())
}

/// Positions without a hole up to the head, and the hash chain of every stream.
pub async fn log(url: &str) -> Result<String, String> {
    let mut owner = owner(url).await?;
    let sql = "select count(*), coalesce(max(position), 0), (select position from log.head),
                      (select count(*) from log.streams), (select count(*) from (
                          select from log.streams s, lateral log.verify_stream(s.stream_id) v where not v.ok) as bad)
                 from log.events";
    let (events, last, head, streams, wrong): (i64, i64, i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(&mut owner).await.map_err(|error| error.to_string())?;
    let found =
        format!("{events} events in {streams} streams, last position {last}, head {head}, {wrong} wrong hashes");
    if (last, head, wrong) == (events, events, 0) { Ok(found) } else { Err(found) }
}

/// EVT has each event of the log at its position, byte for byte.
pub async fn stream(url: &str, nats: &Nats) -> Result<String, String> {
    let pool = migrate::connect(url, DatabaseRole::Engine, 4).await.map_err(|error| error.to_string())?;
    let log = Log::open(pool, LogOptions::default()).await.map_err(|error| error.to_string())?;
    let head = log.newest().await.map_err(|error| error.to_string())?;
    let context = jetstream::new(nats.client().await);
    let stream = found("the stream has the whole log", async || {
        let stream = context.get_stream("EVT").await.ok()?;
        (stream.cached_info().state.last_sequence >= head.0).then_some(stream)
    })
    .await;
    let config = jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.map_err(|error| error.to_string())?;
    let mut messages = consumer.messages().await.map_err(|error| error.to_string())?;
    let mut position = Position(0);
    while position < head {
        for event in log.read(position, 1_000).await.map_err(|error| error.to_string())? {
            let message = tokio::time::timeout(DEADLINE, messages.next()).await.ok().flatten();
            let Some(Ok(message)) = message else { return Err(format!("no message after position {position}")) };
            let sequence = message.info().map_err(|error| error.to_string())?.stream_sequence;
            if sequence != event.position.0 || message.payload != event.cloud_event().as_bytes() {
                return Err(format!("message {sequence} differs from position {}", event.position));
            }
            position = event.position;
        }
    }
    Ok(format!("{position} messages, equal to the log"))
}

/// Messages by status.
pub async fn messages(url: &str) -> Result<BTreeMap<String, u64>, String> {
    let sql = "select status, count(*) from sms_queue group by status";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(sql).fetch_all(&mut owner(url).await?).await.map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(|(status, count)| (status, count.unsigned_abs())).collect())
}

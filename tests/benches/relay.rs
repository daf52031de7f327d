//! The relay compared with a plain JetStream publisher with as many acknowledgements in flight and expected sequences.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use async_nats::{
    HeaderMap,
    jetstream::{self, stream},
};
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesOrdered};
use luci_runs::relay::{self, RelayOptions};
use luci_schema::{
    Position,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
    subject::EVENT_STREAM,
};
use tokio_util::sync::CancellationToken;

use crate::{
    append, raw,
    report::{Better, Bound, Report},
    servers::Servers,
    steal,
};

const MESSAGES: u64 = 60_000;
const WINDOW: usize = 256;

pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let url = servers.database().await?;
    let log = Log::open(migrate::connect(&url, DatabaseRole::Engine, 8).await?, LogOptions::default()).await?;
    while log.head() < Position(MESSAGES) {
        append::append(&log, 256, 4, 1.0).await?;
    }
    let [plain, ours] = steal::rounds(|| async {
        let plain = publish(servers).await?;
        Ok([plain, relay(servers, &log).await?])
    })
    .await?;
    report.add("raw JetStream publish, window 256, expected sequence", "messages/s", &plain, None, Bound::None);
    let bound = Bound::Ratio(Better::More, 0.5, 0.8);
    report.add("log → JetStream by the relay", "events/s", &ours, Some(&plain), bound);
    Ok(())
}

static STREAM: AtomicU64 = AtomicU64::new(0);

/// As many bytes a message as the relay sends.
async fn publish(servers: &Servers) -> anyhow::Result<f64> {
    let name = format!("RAW{}", STREAM.fetch_add(1, Ordering::Relaxed));
    let client = servers.nats().await?;
    let context = jetstream::new(client);
    let config = stream::Config { name: name.clone(), subjects: vec![format!("{name}.>")], ..Default::default() };
    context.create_stream(config).await?;
    let body = Bytes::from(format!("{}{}", raw::DATA, "x".repeat(700)));
    let start = Instant::now();
    let mut window = FuturesOrdered::new();
    for sequence in 0..MESSAGES {
        if window.len() == WINDOW {
            acknowledged(window.next().await)?;
        }
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_EXPECTED_LAST_SEQUENCE, sequence.to_string().as_str());
        let ack = context.publish_with_headers(format!("{name}.block.completed.score"), headers, body.clone()).await?;
        window.push_back(std::future::IntoFuture::into_future(ack));
    }
    while !window.is_empty() {
        acknowledged(window.next().await)?;
    }
    let rate = MESSAGES as f64 / start.elapsed().as_secs_f64();
    context.delete_stream(&name).await?;
    Ok(rate)
}

fn acknowledged<T, E: std::error::Error + Send + Sync + 'static>(ack: Option<Result<T, E>>) -> anyhow::Result<()> {
    ack.transpose()?;
    Ok(())
}

/// From an empty broker to the log's head.
async fn relay(servers: &Servers, log: &Log) -> anyhow::Result<f64> {
    let client = servers.nats().await?;
    let context = jetstream::new(client.clone());
    servers.forget_events().await?;
    let (stop, head) = (CancellationToken::new(), log.head());
    let options = RelayOptions::owned_by("bench");
    let start = Instant::now();
    let task = tokio::spawn(relay::run(options, log.clone(), client, stop.clone()));
    while last_sequence(&context).await < head.0 {
        ensure!(start.elapsed() < Duration::from_secs(120), "the relay does not arrive");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rate = head.0 as f64 / start.elapsed().as_secs_f64();
    stop.cancel();
    task.await??;
    Ok(rate)
}

async fn last_sequence(context: &jetstream::Context) -> u64 {
    match context.get_stream(EVENT_STREAM).await {
        Ok(stream) => stream.cached_info().state.last_sequence,
        Err(_) => 0,
    }
}

//! Progress messages on core NATS: at most one per second and run or block, not stored, never awaited.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{Client, HeaderMap};
use luci_schema::{BlockId, Micros, RunId, Stage, TenantId, cloud_event::CLOUD_EVENT_TYPE, subject};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Messages waiting for the broker; further ones are dropped.
const QUEUE_LENGTH: usize = 1_024;
/// Microseconds between two `run:progress` of one run.
const MIN_INTERVAL_MICROS: i64 = 1_000_000;
/// Runs whose last message time is kept; beyond it, times older than the interval are dropped.
const MAX_RUNS: usize = 4_096;

/// Sends telemetry messages; clones share the queue.
#[derive(Clone)]
pub struct Telemetry {
    queue: mpsc::Sender<(String, Value)>,
    runs: Arc<Mutex<HashMap<RunId, i64>>>,
}

impl Telemetry {
    /// Starts the sending task; it ends when the last clone is dropped.
    pub fn open(client: Client) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(forward(client, waiting));
        Self { queue, runs: Arc::default() }
    }

    /// `luci.block.progress.v1` with `{blockId, stage, processed, total}`; paced by `Progress`.
    pub fn block(&self, tenant: TenantId, run: RunId, block: BlockId, stage: Stage, processed: u64, total: u64) {
        let data = json!({"blockId": block, "stage": stage, "processed": processed, "total": total});
        let at = Micros::now();
        let body = cloud_event(tenant, run, "block", &format!("{block}:{}", at.0), at, data);
        self.send(subject::telemetry(tenant, run, "block"), body);
    }

    /// `luci.run.progress.v1` with `{progress, stage}`, at most once a second a run.
    pub fn run(&self, tenant: TenantId, run: RunId, progress: u8, stage: Stage) {
        let at = Micros::now();
        if !self.due(run, at.0) {
            return;
        }
        let data = json!({"progress": progress, "stage": stage});
        let body = cloud_event(tenant, run, "run", &format!("{run}:{}", at.0), at, data);
        self.send(subject::telemetry(tenant, run, "run"), body);
    }

    fn due(&self, run: RunId, at: i64) -> bool {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= MAX_RUNS {
            runs.retain(|_, last| at < *last + MIN_INTERVAL_MICROS);
        }
        let due = runs.get(&run).is_none_or(|last| at >= last + MIN_INTERVAL_MICROS);
        if due {
            runs.insert(run, at);
        }
        due
    }

    fn send(&self, subject: String, body: Value) {
        if self.queue.try_send((subject, body)).is_err() {
            metrics::counter!("luci_telemetry_dropped_total").increment(1);
        }
    }
}

/// A CloudEvent 1.0 in structured mode, as those of events; it is not in the log, so it has no position, version or hash.
fn cloud_event(tenant: TenantId, run: RunId, entity: &str, id: &str, at: Micros, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": format!("/tenants/{tenant}/{run}"),
        "type": format!("luci.{entity}.progress.v1"), "subject": run, "time": at.rfc3339(),
        "datacontenttype": "application/json", "tenantid": tenant, "data": data})
}

async fn forward(client: Client, mut waiting: mpsc::Receiver<(String, Value)>) {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", CLOUD_EVENT_TYPE);
    while let Some((subject, body)) = waiting.recv().await {
        let sent = client.publish_with_headers(subject, headers.clone(), body.to_string().into()).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "telemetry publish failed");
        }
    }
}

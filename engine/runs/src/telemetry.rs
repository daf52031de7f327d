//! Progress messages on core NATS: at most one per second and run or block, not stored, never awaited.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::Client;
use luci_schema::{BlockId, Micros, RunId, Stage, TenantId, subject};
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

    /// `{type: "block:progress", tenantId, runId, blockId, stage, processed, total, at}`; paced by `Progress`.
    pub fn block(&self, tenant: TenantId, run: RunId, block: BlockId, stage: Stage, processed: u64, total: u64) {
        let body = json!({"type": "block:progress", "tenantId": tenant, "runId": run, "blockId": block, "stage": stage,
            "processed": processed, "total": total, "at": Micros::now().rfc3339()});
        self.send(subject::telemetry(tenant, run, "block"), body);
    }

    /// `{type: "run:progress", tenantId, runId, progress, stage, at}`, at most once a second a run.
    pub fn run(&self, tenant: TenantId, run: RunId, progress: u8, stage: Stage) {
        let at = Micros::now();
        if !self.due(run, at.0) {
            return;
        }
        let body = json!({"type": "run:progress", "tenantId": tenant, "runId": run, "progress": progress,
            "stage": stage, "at": at.rfc3339()});
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

async fn forward(client: Client, mut waiting: mpsc::Receiver<(String, Value)>) {
    while let Some((subject, body)) = waiting.recv().await {
        if let Err(error) = client.publish(subject, body.to_string().into()).await {
            tracing::debug!(%error, "telemetry publish failed");
        }
    }
}

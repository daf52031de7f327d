//! Progress for those who watch: core NATS, at most once a second, never stored, never waited for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::Client;
use luci_schema::{BlockId, Micros, RunId, Stage, TenantId, subject};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Messages waiting for the broker; more are dropped, the next second brings newer ones.
const QUEUE: usize = 1_024;
/// Microseconds between two `run:progress` of one run.
const QUIET: i64 = 1_000_000;
/// Runs whose last message is remembered; beyond it the oldest memory is cleared.
const REMEMBERED: usize = 4_096;

/// A handle to the process's line to the watchers. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    queue: mpsc::Sender<(String, Value)>,
    runs: Arc<Mutex<HashMap<RunId, i64>>>,
}

impl Telemetry {
    /// Sends over `client` until the last handle is dropped.
    pub fn open(client: Client) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
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
        if runs.len() >= REMEMBERED {
            runs.retain(|_, last| at < *last + QUIET);
        }
        let due = runs.get(&run).is_none_or(|last| at >= last + QUIET);
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
            tracing::debug!(%error, "telemetry was not sent");
        }
    }
}

//! The frames of spec S6, built once per event and shared by all watchers.

use luci_schema::{
    BlockEvent, BlockId, Counts, Event, Micros, Position, Recorded, RunEvent, RunId, StreamId, TenantId, Version,
    event::{Artifact, BlockReport},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The parts of an event that watchers need, from the log or from NATS.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedEvent {
    pub tenant: TenantId,
    pub stream: StreamId,
    pub position: Position,
    pub version: Version,
    pub at: Micros,
    pub event: Event,
}

impl From<&Recorded> for WatchedEvent {
    fn from(recorded: &Recorded) -> Self {
        Self {
            tenant: recorded.tenant_id,
            stream: recorded.stream_id,
            position: recorded.position,
            version: recorded.version,
            at: recorded.recorded_at,
            event: recorded.event.clone(),
        }
    }
}

/// The frames of one event, or of one telemetry message.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub run: RunId,
    /// `None` for telemetry, which is not in the log.
    pub position: Option<Position>,
    pub frames: Vec<Utf8Bytes>,
}

/// The frames of an event; `None` if it is not an event of a run.
pub fn bundle(event: &WatchedEvent) -> Option<Bundle> {
    let StreamId::Run(run) = event.stream else { return None };
    let bodies = match &event.event {
        Event::Run(event) => vec![run_body(event)],
        Event::Block(event) => block_bodies(event),
        Event::Artifact(event) => {
            let luci_schema::ArtifactEvent::Created(artifact) = event;
            vec![artifact_body(artifact, None)]
        }
        Event::Config(_) | Event::Unknown(_) => return None,
    };
    let mut frames = Vec::with_capacity(bodies.len());
    for (index, mut body) in bodies.into_iter().enumerate() {
        if let Value::Object(fields) = &mut body {
            // The first frame is the event itself; the others are its artifacts.
            let name = if index == 0 { event.event.type_name() } else { "artifact:created" };
            fields.insert("type".into(), name.into());
            fields.insert("runId".into(), json!(run));
            fields.insert("position".into(), json!(event.position));
            fields.insert("version".into(), json!(event.version));
            fields.insert("at".into(), event.at.rfc3339().into());
        }
        frames.push(body.to_string().into());
    }
    Some(Bundle { run, position: Some(event.position), frames })
}

fn run_body(event: &RunEvent) -> Value {
    match event {
        RunEvent::Queued(e) => json!({"status": "queued", "sectorId": e.sector_id, "sectorName": e.sector_name,
            "pipelineName": e.pipeline_name, "totalLeads": e.total_leads}),
        RunEvent::Started(e) => json!({"status": "running", "sectorId": e.sector_id}),
        RunEvent::Paused(_) => json!({"status": "paused"}),
        RunEvent::Resumed(_) => json!({"status": "running"}),
        RunEvent::Completed(e) => json!({"status": "completed", "progress": 100, "summary": e.summary}),
        RunEvent::Failed(e) => json!({"status": "failed", "error": e.error, "lastStage": e.error.stage,
            "summary": e.summary}),
        RunEvent::Cancelled(e) => json!({"status": "cancelled", "summary": e.summary}),
        RunEvent::Deleted(_) => json!({"deletedAt": Value::Null}),
    }
}

fn block_bodies(event: &BlockEvent) -> Vec<Value> {
    let mut body = json!({"blockId": event.block_id(), "stage": event.stage()});
    let mut artifacts = Vec::new();
    let mut add = |name: &str, value: Value| body[name] = value;
    match event {
        BlockEvent::Queued(e) => {
            add("blockNumber", json!(e.block_number));
            add("sequence", json!(e.sequence));
            add("totalBlocks", json!(e.total_blocks));
        }
        BlockEvent::Started(e) => {
            add("blockNumber", json!(e.block_number));
            add("attempt", json!(e.attempt));
            add("provider", json!(e.provider));
        }
        BlockEvent::Completed(e) => {
            add("blockNumber", json!(e.block_number));
            add("attempt", json!(e.attempt));
            add("provider", json!(e.provider));
            add("metrics", metrics(&e.merged));
            add_totals(&mut add, e.totals);
            artifacts = artifact_bodies(&e.report, e.block_id);
            add("artifactIds", ids(&e.report));
        }
        BlockEvent::Failed(e) => {
            add("blockNumber", json!(e.block_number));
            add("attempt", json!(e.attempt));
            add(
                "error",
                json!({"code": e.failure.code, "message": e.failure.message,
                "retryable": e.failure.retryable, "details": e.failure.reasons}),
            );
            add("retryAt", json!(e.retry_at_micros.map(Micros::rfc3339)));
            add_totals(&mut add, e.totals);
            artifacts = artifact_bodies(&e.report, e.block_id);
            add("artifactIds", ids(&e.report));
        }
        BlockEvent::Retried(e) => add("retryCount", json!(e.retry_count)),
        BlockEvent::Skipped(e) => add_totals(&mut add, e.totals),
        BlockEvent::Cancelled(e) => {
            add_totals(&mut add, e.totals);
            if let Some(report) = &e.report {
                artifacts = artifact_bodies(report, e.block_id);
            }
        }
    }
    let mut bodies = vec![body];
    bodies.extend(artifacts);
    bodies
}

fn add_totals(add: &mut impl FnMut(&str, Value), totals: luci_schema::event::RunTotals) {
    add("progress", json!(totals.progress));
    add("processedLeads", json!(totals.processed_leads));
    add("costMicros", json!(totals.cost_micros));
}

fn ids(report: &BlockReport) -> Value {
    report.artifacts.iter().map(|artifact| json!(artifact.artifact_id)).collect()
}

fn artifact_bodies(report: &BlockReport, block: BlockId) -> Vec<Value> {
    report.artifacts.iter().map(|artifact| artifact_body(artifact, Some(block))).collect()
}

fn artifact_body(artifact: &Artifact, block: Option<BlockId>) -> Value {
    json!({"artifactId": artifact.artifact_id, "blockId": block, "artifactType": artifact.artifact_type,
        "sizeBytes": artifact.size_bytes, "checksum": artifact.checksum})
}

/// Counts under the names of the API.
pub fn metrics(counts: &Counts) -> Value {
    json!({"inputCount": counts.input, "processedCount": counts.processed(), "successCount": counts.success,
        "noMatchCount": counts.no_match, "failedCount": counts.failed, "skippedCount": counts.skipped,
        "hitRate": counts.hit_rate_tenths() as f64 / 10.0})
}

/// `{type: heartbeat, position, lagMs}`
pub fn heartbeat(position: Position, lag_ms: u64) -> Utf8Bytes {
    json!({"type": "heartbeat", "position": position, "lagMs": lag_ms, "at": Micros::now().rfc3339()})
        .to_string()
        .into()
}

/// The events from `from` to `to` are not sent: the client drops what it has, and the snapshot that follows replaces it.
pub fn reset(from: Position, to: Position) -> Utf8Bytes {
    json!({"type": "reset", "from": from, "to": to}).to_string().into()
}

/// The watcher was too slow: it has every event up to `after` and must reconnect from there.
pub fn resume(after: Position) -> Utf8Bytes {
    json!({"type": "resume", "after": after, "reason": "too slow"}).to_string().into()
}

/// A message of the client is malformed or not allowed.
pub fn error(reason: &str) -> Utf8Bytes {
    json!({"type": "error", "reason": reason}).to_string().into()
}

#[cfg(test)]
mod tests {
    use luci_schema::{ArtifactId, Stage, event};

    use super::*;

    fn watched(event: impl Into<Event>) -> WatchedEvent {
        WatchedEvent {
            tenant: TenantId::generate(),
            stream: RunId::generate().into(),
            position: Position(7),
            version: Version(3),
            at: Micros(1_000_000),
            event: event.into(),
        }
    }

    #[test]
    fn a_run_event_is_one_frame() {
        let bundle = bundle(&watched(RunEvent::Started(event::RunStarted { sector_id: None }))).unwrap();
        let frame: Value = serde_json::from_str(&bundle.frames[0]).unwrap();
        assert_eq!(frame["type"], "run:started");
        assert_eq!((frame["position"].as_u64(), frame["version"].as_u64()), (Some(7), Some(3)));
        assert_eq!(frame["at"], "1970-01-01T00:00:01Z");
    }

    #[test]
    fn a_completed_block_is_followed_by_its_artifacts() {
        let artifact = Artifact {
            artifact_id: ArtifactId::generate(),
            artifact_type: "parsed".into(),
            object_path: "k".into(),
            mime_type: "application/x-ndjson".into(),
            size_bytes: 1,
            checksum: "00".into(),
            leads: 2,
            parent_artifact_ids: vec![],
        };
        let counts = Counts { input: 2, success: 1, no_match: 1, failed: 0, skipped: 0 };
        let report: BlockReport =
            serde_json::from_value(json!({"counts": counts, "costMicros": 5, "artifacts": [artifact]})).unwrap();
        let completed = event::BlockCompleted {
            block_id: BlockId::generate(),
            stage: Stage::Import,
            block_number: 1,
            attempt: 1,
            provider: "internal".into(),
            started_at_micros: Micros(0),
            report,
            merged: counts,
            totals: event::RunTotals { processed_leads: 0, progress: 14, cost_micros: 5 },
        };
        let bundle = bundle(&watched(BlockEvent::Completed(Box::new(completed)))).unwrap();
        let frames: Vec<Value> = bundle.frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        assert_eq!(frames.len(), 2);
        assert_eq!((&frames[0]["type"], &frames[1]["type"]), (&json!("block:completed"), &json!("artifact:created")));
        assert_eq!(frames[0]["metrics"]["hitRate"], 50.0);
        assert_eq!(frames[0]["progress"], 14);
        assert_eq!(frames[1]["blockId"], frames[0]["blockId"]);
    }

    #[test]
    fn events_of_configuration_have_no_frames() {
        let mut config = watched(RunEvent::Paused(serde_json::from_str("{}").unwrap()));
        config.stream = luci_schema::KeyId::generate().into();
        assert!(bundle(&config).is_none());
    }
}

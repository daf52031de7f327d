//! Folds of hand-written events into the sums of a run's stages.

use std::{collections::BTreeMap, sync::Arc};

use luci_schema::{
    Actor, ArtifactId, BlockEvent, BlockId, BlueprintId, CommandId, ConfigEvent, CorrelationId, Counts, Event, EventId,
    Failure, FailureCode, ImportId, Micros, Position, Recorded, RunEvent, RunId, Stage, TenantId, Version,
    event::{
        Artifact, BlockCompleted, BlockFailed, BlockInput, BlockQueued, BlockReport, BlockRetried, BlockSkipped,
        Cursor, RunDeleted, RunInput, RunOptions, RunQueued, RunStarted, RunTotals, StageSpec, TenantUpdated,
        TriggerType,
    },
};

use super::*;
use crate::{
    artifacts::ArtifactFold,
    fold::Fold as _,
    run_state::stages::{self, StageSum},
    status::BlockStatus,
};

mod errors;

/// The stream of one run with one block.
struct Stream {
    tenant: TenantId,
    run: RunId,
    block: BlockId,
    events: Vec<Arc<Recorded>>,
}

impl Stream {
    fn new(stages: &[Stage]) -> Self {
        let mut stream =
            Self { tenant: TenantId::generate(), run: RunId::generate(), block: BlockId::generate(), events: vec![] };
        let spec = |stage: &Stage| StageSpec { name: stage.to_string(), stage: *stage, config: serde_json::json!({}) };
        let import_id = ImportId::generate();
        stream.push(RunEvent::Queued(Box::new(RunQueued {
            pipeline_name: "p".into(),
            blueprint_id: BlueprintId::generate(),
            blueprint_version: 1,
            stages: stages.iter().map(spec).collect(),
            input: RunInput::Import { import_id, object_path: "x".into(), size_bytes: 1, rows: 10, checksum: None },
            root_input_id: import_id.to_string(),
            root_run_id: stream.run,
            sector_id: None,
            sector_name: None,
            total_leads: 10,
            options: RunOptions::default(),
            active_runs: 4,
            triggered_by: Actor::System,
            trigger_type: TriggerType::Manual,
            parent_run_id: None,
            replayed_from_run_id: None,
            budget_micros: None,
            prices: Default::default(),
        })));
        stream.push(RunEvent::Started(RunStarted { sector_id: None }));
        stream
    }

    fn push(&mut self, event: impl Into<Event>) {
        let (event, n) = (event.into(), self.events.len() as u64 + 1);
        self.events.push(Arc::new(Recorded {
            position: Position(n),
            version: Version(n),
            event_id: EventId::generate(),
            event_type: event.type_name().into(),
            schema_version: 1,
            tenant_id: self.tenant,
            stream_id: self.run.into(),
            actor: Actor::System,
            command_id: CommandId::derive(&["t"]),
            correlation_id: CorrelationId::generate(),
            causation_id: None,
            recorded_at: Micros(1_000_000 * i64::try_from(n).expect("small")),
            data: String::new(),
            metadata: String::new(),
            previous_hash: [0; 32],
            hash: [0; 32],
            event,
        }));
    }

    fn queued(&mut self, leads: Option<u64>) {
        let artifact_id = ArtifactId::generate();
        let input = match leads {
            None => BlockInput::Source { cursor: Cursor::default() },
            Some(leads) => BlockInput::Artifact { artifact_id, object_path: "x".into(), leads, digest: None },
        };
        self.push(BlockEvent::Queued(Box::new(BlockQueued {
            block_id: self.block,
            stage: Stage::Import,
            block_number: 1,
            sequence: 1,
            total_blocks: None,
            attempt: 0,
            retry_count: 0,
            retry_of: None,
            input,
            artifact_id,
            unix: 1,
        })));
    }

    fn completed(&mut self, counts: Counts, merged: Counts) {
        self.push(BlockEvent::Completed(Box::new(BlockCompleted {
            block_id: self.block,
            stage: Stage::Import,
            block_number: 1,
            attempt: 1,
            provider: "internal".into(),
            started_at_micros: Micros(5),
            report: report(counts, "parsed"),
            merged,
            totals: RunTotals { processed_leads: merged.failed, progress: 50, cost_micros: 7 },
        })));
    }

    fn failed(&mut self, counts: Counts) {
        self.push(BlockEvent::Failed(Box::new(BlockFailed {
            block_id: self.block,
            stage: Stage::Import,
            block_number: 1,
            attempt: 1,
            provider: "internal".into(),
            started_at_micros: Micros(5),
            failure: Failure::new(FailureCode::Timeout, "too slow"),
            report: report(counts, "failed"),
            totals: RunTotals::default(),
            retry_at_micros: Some(Micros(99)),
        })));
    }

    fn retried(&mut self) {
        let (block_id, stage) = (self.block, Stage::Import);
        self.push(BlockEvent::Retried(BlockRetried { block_id, stage, block_number: 1, retry_count: 1 }));
    }

    fn fold(&self) -> RunState {
        let mut state = RunState::default();
        for event in &self.events {
            state.apply(event).expect("folds");
        }
        state
    }

    fn artifacts(&self) -> ArtifactFold {
        let (mut state, mut fold) = (RunState::default(), ArtifactFold::default());
        for event in &self.events {
            let change = state.apply(event).expect("folds");
            fold.apply(event, change.as_ref()).expect("folds");
        }
        fold
    }

    fn sum(&self) -> StageSum {
        self.fold().runs[&self.run].stages[0].clone()
    }
}

fn counts(success: u64, failed: u64) -> Counts {
    Counts { input: success + failed, success, failed, ..Counts::default() }
}

fn report(counts: Counts, kind: &str) -> BlockReport {
    BlockReport {
        counts,
        failures: (counts.failed > 0).then_some((FailureCode::Timeout, counts.failed)).into_iter().collect(),
        reasons: BTreeMap::new(),
        warnings: BTreeMap::from([("odd".to_string(), 1)]),
        cost_micros: 7,
        score_sum: None,
        artifacts: vec![Artifact {
            artifact_id: ArtifactId::generate(),
            artifact_type: kind.into(),
            object_path: "x".into(),
            mime_type: "application/x-ndjson".into(),
            size_bytes: 1,
            checksum: "00".into(),
            leads: counts.output(),
            parent_artifact_ids: vec![],
        }],
        next: None,
    }
}

#[test]
fn retried_leads_move_from_failed_to_success() {
    let mut stream = Stream::new(&[Stage::Import]);
    stream.queued(None);
    stream.completed(counts(8, 2), counts(8, 2));
    assert_eq!((stream.sum().counts, stream.sum().failures[&FailureCode::Timeout]), (counts(8, 2), 2));
    stream.retried();
    stream.queued(Some(2));
    assert_eq!(stream.sum().counts, counts(8, 2), "the counts stay during the retry");
    stream.completed(counts(1, 1), Counts { input: 10, ..counts(9, 1) });
    let (sum, artifacts) = (stream.sum(), stream.artifacts());
    assert_eq!((sum.counts.success, sum.counts.failed, sum.counts.input), (9, 1, 10));
    assert_eq!((sum.cost_micros, sum.passed_on, sum.blocks.completed), (14, 2, 1));
    assert_eq!((sum.failures[&FailureCode::Timeout], sum.warnings["odd"]), (1, 2));
    // The second output holds other leads than the first: neither replaces the other.
    assert_eq!(artifacts.created.iter().map(|a| a.version).collect::<Vec<_>>(), [1, 2]);
    assert!(artifacts.superseded.is_empty());
}

#[test]
fn a_retry_replaces_the_failed_attempt() {
    let mut stream = Stream::new(&[Stage::Import]);
    stream.queued(None);
    stream.failed(counts(0, 10));
    let state = stream.fold();
    assert_eq!(state.runs[&stream.run].failed_block.as_ref().and_then(|b| b.retry_at), Some(Micros(99)));
    assert_eq!(state.blocks[&stream.block].status, BlockStatus::Failed);
    stream.retried();
    assert_eq!(stream.sum().counts, Counts::default());
    assert!(stream.fold().runs[&stream.run].failed_block.is_none());
    stream.completed(counts(10, 0), counts(10, 0));
    let sum = stream.sum();
    assert_eq!((sum.counts, sum.cost_micros, sum.exhausted), (counts(10, 0), 14, true));
    assert!(sum.failures.is_empty());
}

#[test]
fn skipping_an_import_block_that_read_nothing_ends_the_input() {
    let mut stream = Stream::new(&[Stage::Import, Stage::Validate]);
    stream.queued(None);
    stream.failed(counts(0, 10));
    let totals = RunTotals::default();
    let (block_id, stage) = (stream.block, Stage::Import);
    stream.push(BlockEvent::Skipped(BlockSkipped { block_id, stage, block_number: 1, totals }));
    let state = stream.fold();
    let run = &state.runs[&stream.run];
    assert_eq!(stages::totals(&run.stages), [(Some(1), true), (Some(0), true)]);
    assert_eq!(run.stages[0].counts.failed, 10);
}

#[test]
fn the_sums_do_not_depend_on_the_batches() {
    let mut stream = Stream::new(&[Stage::Import]);
    stream.queued(None);
    stream.failed(counts(0, 10));
    stream.retried();
    stream.queued(None);
    stream.completed(counts(10, 0), counts(10, 0));
    stream.push(RunEvent::Deleted(RunDeleted {}));
    let mut state = RunState::default();
    for event in &stream.events {
        state.apply(event).expect("folds");
        // As after a batch of one event, with the rows that the database would load again.
        let (runs, blocks) = (state.runs.clone(), state.blocks.clone());
        state.settle();
        (state.runs, state.blocks) = (runs, blocks);
    }
    assert_eq!((&state.runs, &state.blocks), (&stream.fold().runs, &stream.fold().blocks));
    assert_eq!(state.runs[&stream.run].counts_as(), None, "a deleted run is not counted");
}

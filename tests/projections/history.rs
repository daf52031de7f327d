//! Run histories to fold: decided by the real run core, with simulated workers whose outcomes a test sets.

use std::collections::{BTreeMap, VecDeque};

use luci_runs::core::{Completion, Context, Run, RunCommand, decide, evolve};
use luci_schema::{
    Actor, ActorId, ArtifactId, BlueprintId, CommandId, CorrelationId, Counts, Event, EventId, Failure, FailureCode,
    ImportId, Micros, Position, Recorded, RunId, SectorId, Stage, TenantId, Version,
    event::{
        Artifact, BlockEvent, BlockInput, BlockQueued, BlockReport, Cursor, RunInput, RunOptions, RunQueued, StageSpec,
        TriggerType,
    },
    log::{Append, Log},
};

/// The outcome of a delivered block: some of its leads fail, or the whole block does.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Done {
        failed: u64,
    },
    /// Some find no match, some are skipped.
    Mixed {
        no_match: u64,
        failed: u64,
        skipped: u64,
    },
    Failed(FailureCode),
}

pub fn queued(name: &str, leads: u64, block_size: u32) -> RunQueued {
    let import_id = ImportId::generate();
    let spec = |stage: Stage| StageSpec { name: stage.to_string(), stage, config: serde_json::json!({}) };
    RunQueued {
        pipeline_name: name.into(),
        blueprint_id: BlueprintId::generate(),
        blueprint_version: 1,
        stages: Stage::ALL.map(spec).to_vec(),
        input: RunInput::Import {
            import_id,
            object_path: "t/imports/x.csv".into(),
            size_bytes: leads * 10,
            rows: leads,
            checksum: None,
        },
        root_input_id: import_id.to_string(),
        root_run_id: RunId::generate(),
        sector_id: Some(SectorId::generate()),
        sector_name: Some(format!("Sector of {name}")),
        total_leads: leads,
        options: RunOptions { block_size, ..RunOptions::default() },
        active_runs: 4,
        triggered_by: Actor::System,
        trigger_type: TriggerType::Manual,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: None,
        prices: Default::default(),
    }
}

/// One run, and the events that are not yet appended.
pub struct History {
    pub tenant: TenantId,
    pub id: RunId,
    pub run: Run,
    pub events: Vec<Event>,
    deliveries: VecDeque<(BlockQueued, Version)>,
    now: Micros,
    appended: usize,
    correlation: CorrelationId,
}

impl History {
    pub fn queued(tenant: TenantId, queued: RunQueued) -> Self {
        let mut history = Self {
            tenant,
            id: RunId::generate(),
            run: Run::default(),
            events: vec![],
            deliveries: VecDeque::new(),
            now: Micros::now(),
            appended: 0,
            correlation: CorrelationId::generate(),
        };
        history.issue(RunCommand::Queue(Box::new(queued)));
        history
    }

    pub fn started(tenant: TenantId, name: &str, leads: u64, block_size: u32) -> Self {
        let mut history = Self::queued(tenant, queued(name, leads, block_size));
        history.issue(RunCommand::Start);
        history
    }

    /// A completed run without failed leads.
    pub fn completed(tenant: TenantId, name: &str, leads: u64, block_size: u32) -> Self {
        let mut history = Self::started(tenant, name, leads, block_size);
        history.work(usize::MAX, |_| Outcome::Done { failed: 0 });
        history
    }

    pub fn issue(&mut self, command: RunCommand) {
        assert!(self.attempt(&command), "accepted by the core");
    }

    /// Whether the core accepts the command.
    pub fn attempt(&mut self, command: &RunCommand) -> bool {
        self.now.0 += 50_000;
        let actor = Actor::Actor(ActorId::generate());
        let context = Context { now: self.now, seed: EventId::generate().ulid(), actor };
        let Ok(events) = decide(&self.run, command, &context) else { return false };
        for event in events {
            evolve(&mut self.run, &event).expect("folds");
            if let Event::Block(BlockEvent::Queued(queued)) = &event {
                self.deliveries.push_back(((**queued).clone(), self.run.version()));
            }
            self.events.push(event);
        }
        true
    }

    /// Executes up to `blocks` deliveries, in the order in which they were queued.
    pub fn work(&mut self, blocks: usize, outcome: impl Fn(&BlockQueued) -> Outcome) {
        for _ in 0..blocks {
            let Some((block, version)) = self.deliveries.pop_front() else { return };
            let outcome = outcome(&block);
            assert!(self.execute(&block, version, outcome), "accepted by the core");
        }
    }

    /// Executes the next delivery, unless the run does not want it any more.
    pub fn try_work(&mut self, outcome: Outcome) {
        if let Some((block, version)) = self.deliveries.pop_front() {
            let _accepted = self.execute(&block, version, outcome);
        }
    }

    fn execute(&mut self, block: &BlockQueued, version: Version, outcome: Outcome) -> bool {
        let outside = matches!(block.stage, Stage::Enrich | Stage::SkipTrace);
        if outside {
            let (id, queued, provider) = (block.block_id, version, "apollo".into());
            let after = self.run.open_block(id).map_or(0, |block| block.attempt);
            if !self.attempt(&RunCommand::StartBlock { block: id, queued, after, provider }) {
                return false;
            }
        }
        let (left_out, code) = match outcome {
            Outcome::Done { failed } => ([0, failed, 0], None),
            Outcome::Mixed { no_match, failed, skipped } => ([no_match, failed, skipped], None),
            Outcome::Failed(code) => ([0; 3], Some(code)),
        };
        let completion = Box::new(Completion {
            block: block.block_id,
            queued: version,
            attempt: outside.then_some(block.attempt + 1),
            provider: if outside { "apollo".into() } else { "internal".into() },
            started_at: Micros(self.now.0 - 20_000),
            report: if code.is_some() { empty_report() } else { self.report(block, left_out) },
        });
        self.attempt(&match code {
            Some(code) => RunCommand::FailBlock(completion, Failure::new(code, "a failure of the test")),
            None => RunCommand::CompleteBlock(completion),
        })
    }

    /// `left_out`: leads without a match, failed and skipped, as far as the block has so many.
    fn report(&self, block: &BlockQueued, left_out: [u64; 3]) -> BlockReport {
        let queued = self.run.queued();
        let (input, next) = match &block.input {
            BlockInput::Artifact { leads, .. } => (*leads, None),
            BlockInput::Source { cursor } => {
                let input = (queued.total_leads - cursor.rows).min(u64::from(queued.options.block_size));
                let rows = cursor.rows + input;
                let next = Cursor { offset: rows * 10, line: rows + 1, rows, after: None };
                (input, (rows < queued.total_leads).then_some(next))
            }
        };
        let mut left = input;
        let [no_match, failed, skipped] = left_out.map(|wanted| {
            let taken = wanted.min(left);
            left -= taken;
            taken
        });
        let counts = Counts { input, success: left, no_match, failed, skipped };
        let mut artifacts = vec![artifact(block, block.stage.artifact_type(), 0, counts.output())];
        artifacts.push(artifact(block, "failed", 1, failed));
        artifacts.retain(|artifact| artifact.leads > 0);
        let failures = (failed > 0).then_some((FailureCode::ApiError, failed));
        let warnings = (block.stage == Stage::Validate).then(|| ("duplicate_existing".to_string(), 1));
        BlockReport {
            counts,
            failures: failures.into_iter().collect(),
            reasons: BTreeMap::new(),
            warnings: warnings.into_iter().collect(),
            cost_micros: if block.stage == Stage::Enrich { input * 40 } else { 0 },
            score_sum: (block.stage == Stage::Score).then_some(counts.success * 70),
            artifacts,
            next,
        }
    }

    /// The events that are not yet appended, as one append.
    pub fn append(&mut self) -> Append {
        let events = self.events[self.appended..].to_vec();
        let expected = Version(self.appended as u64);
        self.appended = self.events.len();
        Append {
            tenant: self.tenant,
            stream: self.id.into(),
            expected,
            events,
            actor: Actor::System,
            command: CommandId::derive(&[&self.id.to_string(), &expected.to_string()]),
            correlation: self.correlation,
            causation: None,
            receipt: None,
        }
    }

    /// Appends them, in chunks that the log accepts.
    pub async fn append_to(&mut self, log: &Log) -> Position {
        let mut position = Position(0);
        let all = self.append();
        for (n, events) in all.events.chunks(500).enumerate() {
            let expected = Version(all.expected.0 + 500 * n as u64);
            let command = CommandId::derive(&[&self.id.to_string(), &expected.to_string()]);
            let chunk = Append { events: events.to_vec(), expected, command, receipt: None, ..copy(&all) };
            position = log.append(chunk).await.expect("appended").position();
        }
        position
    }

    /// All events as the log would return them, at the positions after `after`.
    pub fn recorded(&self, after: u64) -> Vec<std::sync::Arc<Recorded>> {
        let envelope = |(event, n): (&Event, u64)| {
            std::sync::Arc::new(Recorded {
                position: Position(after + n),
                version: Version(n),
                event_id: EventId::generate(),
                event_type: event.type_name().into(),
                schema_version: 1,
                tenant_id: self.tenant,
                stream_id: self.id.into(),
                actor: Actor::System,
                command_id: CommandId::derive(&["test"]),
                correlation_id: self.correlation,
                causation_id: None,
                recorded_at: Micros(1_700_000_000_000_000 + i64::try_from(n).expect("small") * 1_000),
                data: event.data().expect("JSON"),
                metadata: "{}".into(),
                previous_hash: [0; 32],
                hash: [0; 32],
                event: event.clone(),
            })
        };
        self.events.iter().zip(1..).map(envelope).collect()
    }
}

pub fn copy(append: &Append) -> Append {
    Append {
        tenant: append.tenant,
        stream: append.stream,
        expected: append.expected,
        events: vec![],
        actor: append.actor,
        command: append.command.clone(),
        correlation: append.correlation,
        causation: append.causation,
        receipt: None,
    }
}

fn empty_report() -> BlockReport {
    BlockReport {
        counts: Counts::default(),
        failures: BTreeMap::new(),
        reasons: BTreeMap::new(),
        warnings: BTreeMap::new(),
        cost_micros: 5,
        score_sum: None,
        artifacts: vec![],
        next: None,
    }
}

fn artifact(block: &BlockQueued, kind: &str, derived: u128, leads: u64) -> Artifact {
    let artifact_id = ArtifactId::from_ulid(ulid::Ulid(block.artifact_id.ulid().0 ^ derived));
    Artifact {
        artifact_id,
        artifact_type: kind.into(),
        object_path: format!("t/pipelines/r/artifacts/{kind}_{}_{artifact_id}.ndjson", block.unix),
        mime_type: "application/x-ndjson".into(),
        size_bytes: leads * 100,
        checksum: "ab".repeat(32),
        leads,
        parent_artifact_ids: vec![],
    }
}

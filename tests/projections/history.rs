//! Histories to fold: runs that the real core decides, with workers that are told how their blocks turn out.

use std::collections::{BTreeMap, VecDeque};

use luci_engine::run::{Completion, Context, Run, RunCommand, decide, evolve};
use luci_schema::{
    Actor, ActorId, ArtifactId, BlueprintId, CommandId, CorrelationId, Counts, Event, EventId, Failure, FailureCode,
    ImportId, Micros, Position, Recorded, RunId, SectorId, Stage, TenantId, Version,
    event::{
        Artifact, BlockEvent, BlockInput, BlockQueued, BlockReport, Cursor, RunInput, RunOptions, RunQueued, StageSpec,
        TriggerType,
    },
    log::{Append, Log},
};

/// What becomes of a delivered block: so many of its leads fail, or the block does.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    Done { failed: u64 },
    Broken(FailureCode),
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

/// One run in the making.
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
        history.ask(RunCommand::Queue(Box::new(queued)));
        history
    }

    pub fn started(tenant: TenantId, name: &str, leads: u64, block_size: u32) -> Self {
        let mut history = Self::queued(tenant, queued(name, leads, block_size));
        history.ask(RunCommand::Start);
        history
    }

    /// A run from its start to its end, all leads through.
    pub fn completed(tenant: TenantId, name: &str, leads: u64, block_size: u32) -> Self {
        let mut history = Self::started(tenant, name, leads, block_size);
        history.work(usize::MAX, |_| Fate::Done { failed: 0 });
        history
    }

    pub fn ask(&mut self, command: RunCommand) {
        self.now.0 += 50_000;
        let actor = Actor::Actor(ActorId::generate());
        let context = Context { now: self.now, seed: EventId::generate().ulid(), actor };
        for event in decide(&self.run, &command, &context).expect("the core agrees") {
            evolve(&mut self.run, &event);
            if let Event::Block(BlockEvent::Queued(queued)) = &event {
                self.deliveries.push_back(((**queued).clone(), self.run.version()));
            }
            self.events.push(event);
        }
    }

    /// Carries out up to `blocks` deliveries, in the order of their release.
    pub fn work(&mut self, blocks: usize, fate: impl Fn(&BlockQueued) -> Fate) {
        for _ in 0..blocks {
            let Some((block, version)) = self.deliveries.pop_front() else { return };
            let outside = matches!(block.stage, Stage::Enrich | Stage::SkipTrace);
            if outside {
                let (id, queued, provider) = (block.block_id, version, "apollo".into());
                let after = self.run.open_block(id).map_or(0, |block| block.attempt);
                self.ask(RunCommand::StartBlock { block: id, queued, after, provider });
            }
            let (failed, code) = match fate(&block) {
                Fate::Done { failed } => (failed, None),
                Fate::Broken(code) => (0, Some(code)),
            };
            let completion = Box::new(Completion {
                block: block.block_id,
                queued: version,
                attempt: outside.then_some(block.attempt + 1),
                provider: if outside { "apollo".into() } else { "internal".into() },
                started_at: Micros(self.now.0 - 20_000),
                report: if code.is_some() { nothing() } else { self.report(&block, failed) },
            });
            self.ask(match code {
                Some(code) => RunCommand::FailBlock(completion, Failure::new(code, "it broke")),
                None => RunCommand::CompleteBlock(completion),
            });
        }
    }

    fn report(&self, block: &BlockQueued, failed: u64) -> BlockReport {
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
        let failed = failed.min(input);
        let counts = Counts { input, success: input - failed, failed, ..Counts::default() };
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

    /// The events not yet given, as an append.
    pub fn append(&mut self) -> Append {
        let fresh = self.events[self.appended..].to_vec();
        let expected = Version(self.appended as u64);
        self.appended = self.events.len();
        Append {
            tenant: self.tenant,
            stream: self.id.into(),
            expected,
            events: fresh,
            actor: Actor::System,
            command: CommandId::derive(&[&self.id.to_string(), &expected.to_string()]),
            correlation: self.correlation,
            causation: None,
            receipt: None,
        }
    }

    /// Appends what is new, in pieces that the log takes.
    pub async fn append_to(&mut self, log: &Log) -> Position {
        let mut position = Position(0);
        let whole = self.append();
        for (n, events) in whole.events.chunks(500).enumerate() {
            let expected = Version(whole.expected.0 + 500 * n as u64);
            let command = CommandId::derive(&[&self.id.to_string(), &expected.to_string()]);
            let piece = Append { events: events.to_vec(), expected, command, receipt: None, ..copy(&whole) };
            position = log.append(piece).await.expect("appended").position();
        }
        position
    }

    /// The events as the log would answer them, from a position on.
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
                data: String::new(),
                metadata: "{}".into(),
                previous_hash: [0; 32],
                hash: [0; 32],
                event: event.clone(),
            })
        };
        self.events.iter().zip(1..).map(envelope).collect()
    }
}

fn copy(append: &Append) -> Append {
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

fn nothing() -> BlockReport {
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

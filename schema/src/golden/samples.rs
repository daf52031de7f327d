//! One fixed event of every type.

use std::collections::BTreeMap;

use serde_json::json;
use ulid::Ulid;

use crate::{event::*, log::event_hash, *};

/// Ids that differ in their last characters.
pub(super) const fn ulid(n: u128) -> Ulid {
    Ulid(0x0193_BABE_0000_0000_0000_0000_0000_0000 + n)
}

fn run() -> RunId {
    RunId::from_ulid(ulid(1))
}

fn tenant() -> TenantId {
    TenantId::from_ulid(ulid(2))
}

fn block() -> BlockId {
    BlockId::from_ulid(ulid(3))
}

/// Every type, recorded in its own stream.
pub(super) fn all() -> Vec<Recorded> {
    let of_run = runs().into_iter().map(Event::from).chain(blocks().into_iter().map(Event::from));
    let of_run = of_run.chain([ArtifactEvent::Created(Box::new(artifact("parsed"))).into()]);
    let mut all: Vec<(StreamId, Event)> = of_run.map(|event| (run().into(), event)).collect();
    all.extend(config());
    all.extend(super::contact::all(tenant()));
    all.extend(super::leads::all(tenant()));
    all.extend(super::removal::all(tenant()));
    all.into_iter().map(|(stream, event)| recorded(stream, event)).collect()
}

fn recorded(stream_id: StreamId, event: Event) -> Recorded {
    let mut recorded = Recorded {
        position: Position(90_210),
        version: Version(143),
        event_id: EventId::from_ulid(ulid(4)),
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        tenant_id: tenant(),
        stream_id,
        actor: Actor::Actor(ActorId::from_ulid(ulid(5))),
        command_id: CommandId::derive(&["golden"]),
        correlation_id: CorrelationId::from_ulid(ulid(6)),
        causation_id: event.stage().map(|_| EventId::from_ulid(ulid(7))),
        recorded_at: Micros(1_733_356_800_123_456),
        data: event.data().expect("text"),
        metadata: "{}".into(),
        previous_hash: [0x5a; 32],
        hash: [0; 32],
        event,
    };
    recorded.hash = event_hash(&recorded);
    recorded
}

fn stages() -> Vec<StageSpec> {
    let spec = |stage: Stage| StageSpec { name: stage.to_string(), stage, config: json!({}) };
    let mut stages: Vec<StageSpec> = [Stage::Import, Stage::Validate, Stage::Enrich].into_iter().map(spec).collect();
    stages[2].config = json!({ "provider": "apollo", "minimumScore": 40 });
    stages
}

fn runs() -> Vec<RunEvent> {
    let summary = RunSummary {
        total_leads: 500,
        processed_leads: 498,
        cost_micros: 1_230_000,
        stages: BTreeMap::from([(Stage::Import, counts(500)), (Stage::SkipTrace, counts(480))]),
    };
    let error = RunError {
        code: FailureCode::RateLimit,
        message: "the provider asked to wait".into(),
        stage: Some(Stage::Enrich),
        block_id: Some(block()),
        retryable: true,
        details: BTreeMap::from([("http_429".into(), 20)]),
    };
    vec![
        RunEvent::Queued(Box::new(queued())),
        RunEvent::Started(RunStarted { sector_id: Some(SectorId::from_ulid(ulid(8))) }),
        RunEvent::Paused(RunPaused { reason: Some(PauseReason::Budget), missing_micros: None }),
        RunEvent::Resumed(RunResumed::default()),
        RunEvent::Completed(RunCompleted { summary: summary.clone() }),
        RunEvent::Failed(RunFailed { error, summary: summary.clone() }),
        RunEvent::Cancelled(RunCancelled { summary }),
        RunEvent::Deleted(RunDeleted {}),
    ]
}

fn queued() -> RunQueued {
    RunQueued {
        pipeline_name: "Überlandkreis – Q4 “all” leads".into(),
        blueprint_id: BlueprintId::from_ulid(ulid(9)),
        blueprint_version: 3,
        stages: stages(),
        input: RunInput::Import {
            import_id: ImportId::from_ulid(ulid(10)),
            object_path: "tenant/imports/2024-12-05/import_leads.csv".into(),
            size_bytes: 88_123,
            rows: 500,
            checksum: None,
        },
        root_input_id: ImportId::from_ulid(ulid(10)).to_string(),
        root_run_id: run(),
        sector_id: Some(SectorId::from_ulid(ulid(8))),
        sector_name: Some("North\tSide".into()),
        total_leads: 500,
        options: RunOptions::default(),
        active_runs: 4,
        triggered_by: Actor::Automation(AutomationId::from_ulid(ulid(11))),
        trigger_type: TriggerType::Automation,
        parent_run_id: None,
        replayed_from_run_id: Some(RunId::from_ulid(ulid(12))),
        budget_micros: Some(5_000_000),
        prices: Default::default(),
    }
}

fn counts(input: u64) -> Counts {
    Counts { input, success: input - 10, no_match: 5, failed: 2, skipped: 3 }
}

fn artifact(kind: &str) -> Artifact {
    Artifact {
        artifact_id: ArtifactId::from_ulid(ulid(13)),
        artifact_type: kind.into(),
        object_path: "tenant/pipelines/run/artifacts/parsed_1733356800_art.ndjson".into(),
        mime_type: "application/x-ndjson".into(),
        size_bytes: 40_960,
        checksum: "ab".repeat(32),
        leads: 250,
        parent_artifact_ids: vec![ArtifactId::from_ulid(ulid(14))],
    }
}

fn report() -> BlockReport {
    BlockReport {
        counts: counts(250),
        failures: BTreeMap::from([(FailureCode::ApiError, 1), (FailureCode::Validation, 1)]),
        reasons: BTreeMap::from([("http_503".into(), 1), ("missing_identity".into(), 1)]),
        warnings: BTreeMap::from([("duplicate_existing".into(), 4)]),
        cost_micros: 615_000,
        score_sum: Some(17_250),
        artifacts: vec![artifact("scored"), artifact("failed")],
        next: Some(Cursor { offset: 44_100, line: 251, rows: 250, after: None }),
    }
}

fn blocks() -> Vec<BlockEvent> {
    let (block_id, stage, block_number) = (block(), Stage::Enrich, 2);
    let (provider, started_at_micros) = ("apollo".to_owned(), Micros(1_733_356_799_000_001));
    let totals = RunTotals { processed_leads: 2, progress: 41, cost_micros: 615_000 };
    let input = BlockInput::Artifact {
        artifact_id: ArtifactId::from_ulid(ulid(14)),
        object_path: "tenant/pipelines/run/artifacts/validated_1733356790_art.ndjson".into(),
        leads: 250,
        digest: None,
    };
    let queued = BlockQueued {
        block_id,
        stage,
        block_number,
        sequence: 7,
        total_blocks: Some(2),
        attempt: 1,
        retry_count: 1,
        retry_of: Some(BlockId::from_ulid(ulid(15))),
        input,
        artifact_id: ArtifactId::from_ulid(ulid(13)),
        unix: 1_733_356_800,
    };
    let completed = BlockCompleted {
        block_id,
        stage,
        block_number,
        attempt: 2,
        provider: provider.clone(),
        started_at_micros,
        report: report(),
        merged: counts(250),
        totals,
    };
    let failed = BlockFailed {
        block_id,
        stage,
        block_number,
        attempt: 2,
        provider: provider.clone(),
        started_at_micros,
        failure: Failure {
            reasons: BTreeMap::from([("http_503".into(), 250)]),
            ..Failure::new(FailureCode::ApiError, "the provider could not be reached")
        },
        report: BlockReport { next: None, score_sum: None, ..report() },
        totals,
        retry_at_micros: Some(Micros(1_733_356_830_000_000)),
    };
    let cancelled = BlockCancelled { block_id, stage, block_number, attempt: 2, report: Some(report()), totals };
    vec![
        BlockEvent::Queued(Box::new(queued)),
        BlockEvent::Started(BlockStarted { block_id, stage, block_number, attempt: 2, provider }),
        BlockEvent::Completed(Box::new(completed)),
        BlockEvent::Failed(Box::new(failed)),
        BlockEvent::Retried(BlockRetried { block_id, stage, block_number, retry_count: 2 }),
        BlockEvent::Skipped(BlockSkipped { block_id, stage, block_number, totals }),
        BlockEvent::Cancelled(Box::new(cancelled)),
    ]
}

fn config() -> Vec<(StreamId, Event)> {
    let (actor_id, key_id) = (ActorId::from_ulid(ulid(5)), KeyId::from_ulid(ulid(16)));
    let (import_id, blueprint_id) = (ImportId::from_ulid(ulid(10)), BlueprintId::from_ulid(ulid(9)));
    let key =
        KeyCreated { key_id, actor_id, role: "member".into(), expires_at_micros: Some(Micros(1_764_892_800_000_000)) };
    let import = ImportCompleted {
        import_id,
        object_path: "tenant/imports/2024-12-05/import_leads.csv".into(),
        size_bytes: 88_123,
        checksum: "cd".repeat(32),
        rows: 500,
    };
    let blueprint = BlueprintPublished { blueprint_id, name: "luci_full".into(), version: 3, stages: stages() };
    let sector = SectorCreated { sector_id: SectorId::from_ulid(ulid(8)), slug: "north-side".into() };
    let scoring = ScoringProfilePublished {
        name: "mine".into(),
        version: 2,
        factors: json!([{ "name": "trade", "points": 9, "on": "sic_prefix", "prefixes": ["17"] }]),
        high: 80,
        medium: 50,
    };
    let created = TenantCreated { name: "Example".into(), slug: "example".into() };
    let limited = ProviderLimited { provider: "apollo".into(), per_minute: Some(60), per_day: Some(2_000) };
    let tenant: StreamId = tenant().into();
    [
        (tenant, ConfigEvent::TenantCreated(created)),
        (tenant, ConfigEvent::TenantUpdated(TenantUpdated { active_runs: 8 })),
        (tenant, ConfigEvent::ActorCreated(ActorCreated { actor_id, kind: "person".into(), role: "owner".into() })),
        (key_id.into(), ConfigEvent::KeyCreated(key)),
        (key_id.into(), ConfigEvent::KeyRevoked(KeyRevoked { key_id })),
        (import_id.into(), ConfigEvent::ImportCompleted(Box::new(import))),
        (blueprint_id.into(), ConfigEvent::BlueprintPublished(blueprint)),
        (blueprint_id.into(), ConfigEvent::BlueprintActivated(BlueprintActivated { blueprint_id, version: 2 })),
        (blueprint_id.into(), ConfigEvent::BlueprintArchived(BlueprintArchived { blueprint_id })),
        (tenant, ConfigEvent::SectorCreated(sector)),
        (tenant, ConfigEvent::SectorUpdated(SectorUpdated { sector_id: SectorId::from_ulid(ulid(8)) })),
        (tenant, ConfigEvent::SectorsSeeded(SectorsSeeded { set: "sic-1987/1".into(), sectors: 142 })),
        (tenant, ConfigEvent::ScoringProfilePublished(Box::new(scoring))),
        (tenant, ConfigEvent::ScoringProfileActivated(ScoringProfileActivated { name: "mine".into(), version: 2 })),
        (tenant, ConfigEvent::ProviderConfigured(ProviderConfigured { provider: "apollo".into() })),
        (tenant, ConfigEvent::ProviderLimited(limited)),
        (tenant, ConfigEvent::ProviderRemoved(ProviderRemoved { provider: "apollo".into() })),
    ]
    .into_iter()
    .chain(automations())
    .map(|(stream, event)| (stream, event.into()))
    .collect()
}

fn automations() -> Vec<(StreamId, ConfigEvent)> {
    let automation_id = AutomationId::from_ulid(ulid(11));
    let compare = |field: &str, op, value| Condition::Compare { field: field.into(), op, value };
    let trigger = Trigger::Schedule {
        cron: "30 6 * * 1-5".into(),
        time_zone: "America/New_York".into(),
        overlap: Overlap::Queue,
        catch_up: CatchUp::All,
        conditions: vec![compare("dueAt", Operator::Exists, serde_json::json!(true))],
    };
    let either = vec![compare("leads", Operator::Gte, 10.into()), compare("sectorId", Operator::Exists, false.into())];
    let spec = AutomationSpec {
        name: "Morning round".into(),
        trigger,
        blueprint_id: BlueprintId::from_ulid(ulid(9)),
        sector_id: Some(SectorId::from_ulid(ulid(8))),
        conditions: vec![Condition::Or { or: either }],
        max_leads: Some(5_000),
        budget_micros: Some(25_000_000),
    };
    let updated = AutomationSpec { trigger: Trigger::LeadCreated { conditions: vec![] }, ..spec.clone() };
    let cause = "due:1764844200000000".to_owned();
    let skipped = AutomationSkipped { automation_id, cause: cause.clone(), reason: "overlap".into() };
    [
        ConfigEvent::AutomationCreated(Box::new(AutomationCreated { automation_id, spec })),
        ConfigEvent::AutomationUpdated(Box::new(AutomationUpdated { automation_id, spec: updated })),
        ConfigEvent::AutomationEnabled(AutomationEnabled { automation_id }),
        ConfigEvent::AutomationDisabled(AutomationDisabled { automation_id }),
        ConfigEvent::AutomationFired(AutomationFired { automation_id, cause, run_id: run() }),
        ConfigEvent::AutomationSkipped(skipped),
        ConfigEvent::AutomationRemoved(AutomationRemoved { automation_id }),
    ]
    .map(|event| (automation_id.into(), event))
    .into()
}

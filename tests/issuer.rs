//! The issuer of run commands, in two processes at once over one log.

use std::collections::BTreeMap;

use luci_runs::{
    core::{Completion, Refusal, RunCommand, RunStatus},
    issue::{Cause, IssueError, Issuer},
};
use luci_schema::{
    Actor, ActorId, BlockEvent, BlueprintId, CommandId, Counts, Event, ImportId, Micros, RunId, Stage, TenantId,
    Version,
    event::{
        Artifact, BlockInput, BlockQueued, BlockReport, Cursor, RunInput, RunOptions, RunQueued, StageSpec, TriggerType,
    },
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use serde_json::json;

use crate::support::{self, Database};

const BLOCK: u64 = 10;

struct Fixture {
    tenant: TenantId,
    run: RunId,
    /// Two processes.
    here: Issuer,
    there: Issuer,
    _database: Database,
}

async fn process(database: &Database) -> Issuer {
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 8).await.expect("a pool");
    Issuer::new(Log::open(pool, LogOptions::default()).await.expect("a log"))
}

/// A run of `leads` leads, queued and started here.
async fn fixture(leads: u64) -> Fixture {
    let database = support::database().await;
    let (here, there) = (process(&database).await, process(&database).await);
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    here.issue(tenant, run, &RunCommand::Queue(Box::new(queued(run, leads))), cause("queue")).await.expect("queued");
    here.issue(tenant, run, &RunCommand::Start, cause("start")).await.expect("started");
    Fixture { tenant, run, here, there, _database: database }
}

fn queued(run: RunId, leads: u64) -> RunQueued {
    let import_id = ImportId::generate();
    RunQueued {
        pipeline_name: "luci_full".into(),
        blueprint_id: BlueprintId::generate(),
        blueprint_version: 1,
        stages: Stage::ALL.map(|stage| StageSpec { name: stage.to_string(), stage, config: json!({}) }).to_vec(),
        input: RunInput::Import {
            import_id,
            object_path: "t/imports/a.csv".into(),
            size_bytes: 9,
            rows: leads,
            checksum: None,
        },
        root_input_id: import_id.to_string(),
        root_run_id: run,
        sector_id: None,
        sector_name: None,
        total_leads: leads,
        options: RunOptions { block_size: 10, window: 4, ..RunOptions::default() },
        active_runs: 4,
        triggered_by: Actor::System,
        trigger_type: TriggerType::Manual,
        parent_run_id: None,
        replayed_from_run_id: None,
        budget_micros: None,
        prices: Default::default(),
    }
}

fn cause(key: &str) -> Cause {
    Cause {
        actor: Actor::Actor(ActorId::generate()),
        command: CommandId::derive(&[key]),
        correlation: None,
        causation: None,
        receipt: None,
        if_match: None,
    }
}

fn keyed(key: &str) -> Cause {
    Cause { receipt: Some(([7; 32], json!({ "said": key }))), ..cause(key) }
}

/// A worker's report in which all leads succeeded.
fn completion(queued: &BlockQueued, version: Version, leads: u64) -> Completion {
    let (input, next) = match &queued.input {
        BlockInput::Artifact { leads, .. } => (*leads, None),
        BlockInput::Source { cursor } => {
            let rows = (cursor.rows + BLOCK).min(leads);
            let next = Cursor { offset: rows, line: rows, rows, after: None };
            (rows - cursor.rows, (rows < leads).then_some(next))
        }
    };
    let artifact = Artifact {
        artifact_id: queued.artifact_id,
        artifact_type: queued.stage.artifact_type().into(),
        object_path: format!("t/{}.ndjson", queued.artifact_id),
        mime_type: "application/x-ndjson".into(),
        size_bytes: 1,
        checksum: "00".into(),
        leads: input,
        parent_artifact_ids: vec![],
    };
    Completion {
        block: queued.block_id,
        queued: version,
        attempt: None,
        provider: "internal".into(),
        started_at: Micros::now(),
        report: BlockReport {
            counts: Counts { input, success: input, ..Counts::default() },
            failures: BTreeMap::new(),
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            cost_micros: input,
            score_sum: None,
            artifacts: vec![artifact],
            next,
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_complete_a_run_that_both_are_delivered() {
    let leads = 95;
    let g = fixture(leads).await;
    let start = g.here.load(g.tenant, g.run).await.expect("read").expect("there");
    let mut work: Vec<(BlockQueued, Version)> =
        start.open_blocks().map(|(id, block)| (first(id, block), block.queued)).collect();
    let (mut recorded, mut refused) = (0, 0);
    while let Some((block, version)) = work.pop() {
        let command = RunCommand::CompleteBlock(Box::new(completion(&block, version, leads)));
        let both = tokio::join!(
            g.here.issue(g.tenant, g.run, &command, cause("here")),
            g.there.issue(g.tenant, g.run, &command, cause("there")),
        );
        for issued in [both.0, both.1] {
            match issued {
                Ok(issued) => {
                    recorded += 1;
                    work.extend(issued.events.iter().filter_map(|e| match &e.event {
                        Event::Block(BlockEvent::Queued(queued)) => Some(((**queued).clone(), e.version)),
                        _ => None,
                    }));
                }
                Err(IssueError::Refused(Refusal::Stale)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!((recorded, refused), (70, 70), "ten blocks in seven stages, each recorded once");
    for issuer in [&g.here, &g.there] {
        let run = issuer.load_newest(g.tenant, g.run).await.expect("read").expect("there");
        assert_eq!((run.status(), run.totals().progress), (RunStatus::Completed, 100));
        assert_eq!((run.totals().processed_leads, run.totals().cost_micros), (95, 95 * 7));
    }
    let fresh = Issuer::clone(&process(&g._database).await).load(g.tenant, g.run).await.expect("read");
    let here = g.here.load(g.tenant, g.run).await.expect("read");
    assert_eq!(fresh, here, "folded at once or piece by piece");
}

/// The block's first `block:queued`, as far as a completion needs it.
fn first(block_id: luci_schema::BlockId, block: &luci_runs::core::Block) -> BlockQueued {
    BlockQueued {
        block_id,
        stage: block.stage,
        block_number: block.number,
        sequence: block.sequence,
        total_blocks: None,
        attempt: block.attempt,
        retry_count: block.retry_count,
        retry_of: block.retry_of,
        input: block.input.clone(),
        artifact_id: luci_schema::ArtifactId::generate(),
        unix: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_state_refuses_or_finds_a_command_in_effect() {
    let g = fixture(10).await;
    g.there.load(g.tenant, g.run).await.expect("read");
    g.here.issue(g.tenant, g.run, &RunCommand::Pause, cause("a")).await.expect("paused");
    let paused = g.there.issue(g.tenant, g.run, &RunCommand::Pause, cause("b")).await.expect("in effect");
    assert!(paused.events.is_empty());
    g.there.issue(g.tenant, g.run, &RunCommand::Resume, cause("c")).await.expect("resumed");
    let again = g.here.issue(g.tenant, g.run, &RunCommand::Pause, cause("d")).await.expect("paused");
    assert_eq!(again.events.len(), 1, "here it looked paused still");
    g.there.issue(g.tenant, g.run, &RunCommand::Cancel, cause("e")).await.expect("cancelled");
    let refused = g.here.issue(g.tenant, g.run, &RunCommand::Resume, cause("f")).await;
    assert!(
        matches!(refused, Err(IssueError::Refused(Refusal::Illegal { status: RunStatus::Cancelled, .. }))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_is_answered_from_its_receipt_whatever_has_become_of_the_run() {
    let g = fixture(10).await;
    let first = g.here.issue(g.tenant, g.run, &RunCommand::Pause, keyed("k")).await.expect("paused");
    g.here.issue(g.tenant, g.run, &RunCommand::Resume, cause("r")).await.expect("resumed");
    for issuer in [&g.here, &g.there] {
        let again = issuer.issue(g.tenant, g.run, &RunCommand::Pause, keyed("k")).await;
        let Err(IssueError::AlreadyDone(receipt)) = again else { panic!("{again:?}") };
        assert_eq!((receipt.position, receipt.outcome), (first.position, json!({ "said": "k" })));
    }
    g.here.issue(g.tenant, g.run, &RunCommand::Cancel, cause("c")).await.expect("cancelled");
    let changed = Cause { if_match: Some(Version(1)), ..keyed("k") };
    for by in [keyed("k"), changed] {
        let again = g.there.issue(g.tenant, g.run, &RunCommand::Pause, by).await;
        assert!(matches!(again, Err(IssueError::AlreadyDone(_))), "{again:?}");
    }
    let in_effect = g.here.issue(g.tenant, g.run, &RunCommand::Cancel, keyed("again")).await.expect("in effect");
    assert!(in_effect.events.is_empty());
    let once_more = g.there.issue(g.tenant, g.run, &RunCommand::Cancel, keyed("again")).await;
    assert!(matches!(once_more, Err(IssueError::AlreadyDone(_))), "remembered, though nothing was appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_that_the_caller_saw_must_still_stand() {
    let g = fixture(10).await;
    let seen = g.here.load(g.tenant, g.run).await.expect("read").expect("there").version();
    let old = Cause { if_match: Some(Version(seen.0 - 1)), ..cause("old") };
    let refused = g.here.issue(g.tenant, g.run, &RunCommand::Pause, old).await;
    assert!(matches!(refused, Err(IssueError::VersionMismatch { actual }) if actual == seen), "{refused:?}");
    let same = Cause { if_match: Some(seen), ..cause("same") };
    g.there.issue(g.tenant, g.run, &RunCommand::Pause, same).await.expect("paused");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_run_does_not_exist() {
    let g = fixture(10).await;
    let other = TenantId::generate();
    assert!(g.here.load(other, g.run).await.expect("read").is_none());
    for command in [RunCommand::Cancel, RunCommand::Queue(Box::new(queued(g.run, 10)))] {
        let refused = g.here.issue(other, g.run, &command, cause("x")).await;
        assert!(matches!(refused, Err(IssueError::NotFound)), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_loaded_as_new_as_a_delivery_needs_it() {
    let g = fixture(10).await;
    let before = g.there.load(g.tenant, g.run).await.expect("read").expect("there").version();
    let paused = g.here.issue(g.tenant, g.run, &RunCommand::Pause, cause("p")).await.expect("paused");
    let cached = g.there.load(g.tenant, g.run).await.expect("read").expect("there");
    assert_eq!(cached.version(), before, "nothing is asked of the database");
    let newest = g.there.load_past(g.tenant, g.run, paused.run.version()).await.expect("read").expect("there");
    assert_eq!((newest.status(), newest.version()), (RunStatus::Paused, paused.run.version()));
}

//! Processes of the engine, each with a runtime, pool, log and folded runs of its own, so that one can be killed.

use std::{sync::Arc, time::Duration};

use luci_runs::{
    block::BlockKind,
    broker,
    clock::{self, ClockOptions, LostBlocks},
    core::RunCommand,
    issue::{Cause, Issued, Issuer},
    relay::{self, RelayOptions},
    worker::{self, WorkerOptions},
};
use luci_schema::{
    Actor, BlockEvent, BlueprintId, CommandId, Event, Recorded, RunEvent, RunId, SectorId, StreamId, TenantId, Version,
    event::{RunQueued, StageSpec},
    log::Log,
};
use luci_storage::Storage;
use tokio::runtime::Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{fixture, stages::STAGES};
use crate::support::{self, Database, Nats, probes};

/// Interval of the clock's sweep for lost blocks.
const SWEEP: Duration = Duration::from_millis(500);

/// What a process does.
#[derive(Clone)]
pub enum Role {
    Relay,
    Clock,
    Worker(Vec<Arc<dyn BlockKind>>),
}

/// A process of the engine. `kill` ends it as kill -9 would; `end` as SIGTERM.
pub struct Process {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    roles: TaskTracker,
}

impl Process {
    pub fn start(name: &'static str, database: &Database, nats: &Nats, roles: &[Role]) -> Self {
        let _an_earlier_test_did = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (url, broker) = (database.url().to_owned(), nats.url().to_owned());
        for role in roles {
            tracker.spawn_on(be(name, role.clone(), url.clone(), broker.clone(), stop.clone()), runtime.handle());
        }
        tracker.close();
        Self { runtime: Some(runtime), stop, roles: tracker }
    }

    pub fn kill(mut self) {
        self.runtime.take().expect("runs").shutdown_background();
    }

    pub async fn end(mut self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.roles.wait()).await.expect("ends in time");
        self.runtime.take().expect("runs").shutdown_background();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn be(name: &'static str, role: Role, url: String, nats: String, stop: CancellationToken) {
    let log = fixture::log_at(&url).await;
    let client = broker::connect(&nats, name).await.expect("an address");
    match role {
        Role::Relay => {
            let options = RelayOptions { lease: fixture::quick(name).lease, ..RelayOptions::owned_by(name) };
            relay::run(options, log, client, stop).await.expect("no operator is needed");
        }
        Role::Clock => {
            let mut options = ClockOptions::owned_by(name);
            options.lease = fixture::quick(name).lease;
            let storage = Storage::local(support::temp_dir("store"), "key".to_owned().into(), String::new());
            let storage = storage.expect("a folder");
            let issuer = Issuer::new(log.clone());
            let mut reactors = luci_stages::reactors(&issuer, &log, &storage, &probes());
            reactors.push(Box::new(LostBlocks::new(issuer, log.clone(), client, SWEEP)));
            clock::run(options, reactors, log, stop).await.expect("the log can be followed");
        }
        Role::Worker(kinds) => {
            worker::run(options(), Issuer::new(log.clone()), log, kinds, client, stop).await.expect("a broker");
        }
    }
}

fn options() -> WorkerOptions {
    WorkerOptions {
        concurrency: 8,
        ack_wait: Duration::from_secs(2),
        heartbeat: Duration::from_millis(400),
        record_start_after: Duration::from_millis(50),
        drain: Duration::from_millis(500),
        ..WorkerOptions::default()
    }
}

/// Issues commands, as a process of its own.
pub struct Caller {
    pub log: Log,
    issuer: Issuer,
    pub tenant: TenantId,
}

impl Caller {
    pub async fn new(database: &Database) -> Self {
        let log = fixture::log(database).await;
        Self { issuer: Issuer::new(log.clone()), log, tenant: TenantId::generate() }
    }

    pub async fn command(&self, run: RunId, command: RunCommand) -> Issued {
        let cause = Cause {
            actor: Actor::System,
            command: CommandId::derive(&[command.name(), &run.to_string()]),
            correlation: None,
            causation: None,
            receipt: None,
            if_match: None,
        };
        self.issuer.issue(self.tenant, run, &command, cause).await.expect("carried out")
    }

    /// Queues a run of ten leads through `STAGES`.
    pub async fn queue(&self, active_runs: u32) -> RunId {
        let run = RunId::generate();
        let specs = STAGES.map(|stage| StageSpec { name: stage.to_string(), stage, config: serde_json::json!({}) });
        let queued = serde_json::json!({
            "pipelineName": "flow", "blueprintId": BlueprintId::generate(), "blueprintVersion": 1, "stages": specs,
            "input": {"kind": "sector", "sectorId": SectorId::generate()}, "rootInputId": "input", "rootRunId": run,
            "totalLeads": 10, "options": {}, "activeRuns": active_runs, "triggeredBy": "system",
            "triggerType": "manual"
        });
        let queued: RunQueued = serde_json::from_value(queued).expect("a run");
        self.command(run, RunCommand::Queue(Box::new(queued))).await;
        run
    }

    pub async fn events(&self, run: RunId) -> Vec<Arc<Recorded>> {
        let stream = StreamId::Run(run);
        self.log.read_stream(self.tenant, stream, Version(0), 10_000).await.expect("readable")
    }

    /// How often an event of this type is in the run's history.
    pub async fn count(&self, run: RunId, event_type: &str) -> usize {
        self.events(run).await.iter().filter(|e| e.event_type == event_type).count()
    }

    pub async fn comes(&self, run: RunId, event_type: &str) {
        let look = async || self.count(run, event_type).await > 0;
        support::eventually(&format!("{event_type} of {run}"), look).await;
    }

    /// The run completed, each of its blocks exactly once.
    pub async fn assert_completed(&self, run: RunId) {
        let events = self.events(run).await;
        let completed = events.iter().filter(|e| matches!(e.event, Event::Block(BlockEvent::Completed(_)))).count();
        assert_eq!(completed, STAGES.len());
        let Some(Event::Run(RunEvent::Completed(end))) = events.last().map(|e| e.event.clone()) else {
            panic!("{:?}", events.last());
        };
        assert_eq!(end.summary.processed_leads, 10);
    }
}

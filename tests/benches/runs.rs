//! Seven-block no-op runs: durable, projected and published, compared with appends alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use luci_projections::Projector;
use luci_runs::{
    clock::{self, ClockOptions},
    core::{Completion, RunCommand},
    issue::{Cause, Issuer},
    relay::{self, RelayOptions},
    worker::{self, WorkerOptions},
};
use luci_schema::{
    Actor, BlockEvent, CommandId, Event, Micros, Position, RunEvent, RunId, StreamId, TenantId, Version,
    event::BlockQueued,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use luci_storage::Storage;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    load::percentile,
    noop, raw,
    report::{Better, Bound, Report},
    servers::Servers,
    steal,
};

/// Runs that a tenant may have active: above every load here, so that slots never bound it.
const SLOTS: u32 = 10_000;
const SECONDS: f64 = 5.0;

/// A whole engine in this process, on a database and a broker of its own.
struct Engine {
    url: String,
    log: Log,
    issuer: Issuer,
    tenant: TenantId,
    ended: Ended,
    stop: CancellationToken,
    roles: JoinSet<anyhow::Result<()>>,
}

/// Who waits for the end of each run.
#[derive(Clone, Default)]
struct Ended(Arc<Mutex<HashMap<RunId, oneshot::Sender<()>>>>);

impl Ended {
    fn wait(&self, run: RunId) -> oneshot::Receiver<()> {
        let (ended, wait) = oneshot::channel();
        self.lock().insert(run, ended);
        wait
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notifies the waiting tasks of each `run:completed` in the log.
    async fn follow(self, log: Log, stop: CancellationToken) -> anyhow::Result<()> {
        let mut at = log.head();
        while !stop.is_cancelled() {
            log.wait_past(at, Duration::from_millis(200)).await;
            for recorded in log.read(at, 1_000).await? {
                at = recorded.position;
                if let (Event::Run(RunEvent::Completed(_)), StreamId::Run(run)) = (&recorded.event, recorded.stream_id)
                    && let Some(waiting) = self.lock().remove(&run)
                {
                    // The load may be over, and its receiver dropped.
                    let _ = waiting.send(());
                }
            }
        }
        Ok(())
    }
}

impl Engine {
    async fn start(servers: &Servers) -> anyhow::Result<Self> {
        let url = servers.database().await?;
        let pool = migrate::connect(&url, DatabaseRole::Engine, 16).await?;
        let log = Log::open(pool.clone(), LogOptions::default()).await?;
        let issuer = Issuer::new(log.clone());
        let (stop, ended) = (CancellationToken::new(), Ended::default());
        servers.forget_events().await?;
        let projector_pool = migrate::connect(&url, DatabaseRole::Projector, 4).await?;
        let storage = Storage::local(servers.dir().join("objects"), "unused".into(), String::new())?;
        let probes = luci_providers::Probes::new(Default::default()).map_err(anyhow::Error::msg)?;
        let mut roles = JoinSet::new();
        let (a, b, c) = (stop.clone(), stop.clone(), stop.clone());
        let (relay_client, worker_client) = (servers.nats().await?, servers.nats().await?);
        let [for_relay, for_clock, for_worker, for_projector] = [(); 4].map(|()| log.clone());
        let (issuer_of_worker, reactors) = (issuer.clone(), luci_stages::reactors(&issuer, &log, &storage, &probes));
        roles.spawn(async move { Ok(relay::run(RelayOptions::owned_by("bench"), for_relay, relay_client, a).await?) });
        let clock = ClockOptions::owned_by("bench");
        roles.spawn(async move { Ok(clock::run(clock, reactors, for_clock, b).await?) });
        roles.spawn(async move {
            let options = WorkerOptions::default();
            Ok(worker::run(options, issuer_of_worker, for_worker, noop::kinds(), worker_client, c).await?)
        });
        let d = stop.clone();
        roles.spawn(async move {
            Ok(Projector::new(for_projector, projector_pool, luci_projections::all(), "bench").run(d).await?)
        });
        roles.spawn(ended.clone().follow(log.clone(), stop.clone()));
        let tenant = TenantId::generate();
        Ok(Self { url, log, issuer, tenant, ended, stop, roles })
    }

    /// One run from its request to the commit of its `run:completed`.
    async fn run(&self) -> anyhow::Result<()> {
        let run = RunId::generate();
        let completed = self.ended.wait(run);
        let command = RunCommand::Queue(Box::new(noop::queued(run, SLOTS)));
        self.issuer.issue(self.tenant, run, &command, cause(&["bench", &run.to_string()])).await?;
        tokio::time::timeout(Duration::from_secs(60), completed).await.context("a run hangs")??;
        Ok(())
    }

    async fn stop(mut self, servers: &Servers) -> anyhow::Result<()> {
        self.stop.cancel();
        while let Some(role) = self.roles.join_next().await {
            role??;
        }
        servers.settle(&self.url).await
    }
}

/// Runs/s with `in_flight` of them at any moment.
async fn at_once(engine: &Arc<Engine>, in_flight: usize) -> anyhow::Result<f64> {
    let load = crate::load::run(in_flight, SECONDS, |_| {
        let engine = engine.clone();
        move || {
            let engine = engine.clone();
            async move {
                engine.run().await?;
                Ok(1)
            }
        }
    })
    .await?;
    Ok(load.per_second)
}

/// The engine's own ceiling: the same commands by the same issuer, nobody following, nothing published.
async fn appends_only(servers: &Servers, in_flight: usize) -> anyhow::Result<f64> {
    let url = servers.database().await?;
    let log = Log::open(migrate::connect(&url, DatabaseRole::Engine, 16).await?, LogOptions::default()).await?;
    let issuer = Issuer::new(log.clone());
    let tenant = TenantId::generate();
    let load = crate::load::run(in_flight, SECONDS, |_| {
        let issuer = issuer.clone();
        move || {
            let issuer = issuer.clone();
            async move {
                append_run(&issuer, tenant, |_| {}).await?;
                Ok(1)
            }
        }
    })
    .await?;
    servers.settle(&url).await?;
    Ok(load.per_second)
}

/// Events that a run makes here: queued, started, seven times queued and completed, completed.
pub const EVENTS_PER_RUN: f64 = 17.0;

/// A run by commands alone; `committed` gets each append's last position.
pub async fn append_run(issuer: &Issuer, tenant: TenantId, committed: impl Fn(Position)) -> anyhow::Result<()> {
    let run = RunId::generate();
    let name = run.to_string();
    let mut command = RunCommand::Queue(Box::new(noop::queued(run, SLOTS)));
    for turn in 0.. {
        let issued = issuer.issue(tenant, run, &command, cause(&["bench", &name, &turn.to_string()])).await?;
        committed(issued.position);
        let work = issued.events.iter().find_map(|recorded| match &recorded.event {
            Event::Block(BlockEvent::Queued(block)) => Some(((**block).clone(), recorded.version)),
            _ => None,
        });
        command = match work {
            Some((block, queued)) => RunCommand::CompleteBlock(Box::new(completion(tenant, run, &block, queued))),
            None if turn == 0 => RunCommand::Start,
            None => return Ok(()),
        };
    }
    Ok(())
}

/// The time spent in the engine, by these parts.
fn cause(parts: &[&str]) -> Cause {
    Cause {
        actor: Actor::System,
        command: CommandId::derive(parts),
        correlation: None,
        causation: None,
        receipt: None,
        if_match: None,
    }
}

fn completion(tenant: TenantId, run: RunId, block: &BlockQueued, queued: Version) -> Completion {
    Completion {
        block: block.block_id,
        queued,
        attempt: None,
        provider: "internal".to_owned(),
        started_at: Micros::now(),
        report: noop::report(tenant, run, block),
    }
}

pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    alone(servers, report).await?;
    for (in_flight, floor, goal) in [(8, 100.0, 180.0), (64, 250.0, 450.0)] {
        let [ours] = steal::rounds(|| async {
            let engine = Arc::new(Engine::start(servers).await?);
            let rate = at_once(&engine, in_flight).await?;
            stop(engine, servers).await?;
            Ok([rate])
        })
        .await?;
        let name = format!("7-block runs, {in_flight} in flight");
        report.add(&name, "runs/s", &ours, None, Bound::Value(Better::More, floor, goal));
    }
    let [ceiling, ours] = steal::rounds(|| async {
        let ceiling = appends_only(servers, 200).await?;
        let engine = Arc::new(Engine::start(servers).await?);
        let rate = at_once(&engine, 200).await?;
        stop(engine, servers).await?;
        Ok([ceiling, rate])
    })
    .await?;
    report.add("7-block runs, 200 in flight, appends only", "runs/s", &ceiling, None, Bound::None);
    report.add("7-block runs, 200 in flight", "runs/s", &ours, None, Bound::Value(Better::More, 300.0, 600.0));
    let name = "7-block runs, 200 in flight, beside appends only";
    report.add(name, "runs/s", &ours, Some(&ceiling), Bound::Ratio(Better::More, 0.45, 0.65));
    Ok(())
}

async fn alone(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let url = servers.database().await?;
    let owner = sqlx::PgPool::connect(&url).await?;
    let [commit, p50, p99] = steal::rounds(|| async {
        raw::fresh(&owner).await?;
        let commit = raw::insert(&url, 1, 1).await?.p50;
        let engine = Arc::new(Engine::start(servers).await?);
        let mut times = Vec::new();
        for turn in 0..220 {
            let start = Instant::now();
            engine.run().await?;
            if turn >= 20 {
                times.push(start.elapsed());
            }
        }
        stop(engine, servers).await?;
        times.sort_unstable();
        Ok([8.0 * commit, percentile(&times, 50), percentile(&times, 99)])
    })
    .await?;
    report.add("8 raw one-row commits", "ms", &commit, None, Bound::None);
    report.add("one 7-block run alone, p50", "ms", &p50, None, Bound::Value(Better::Less, 20.0, 12.0));
    let name = "one 7-block run alone, p50, beside 8 raw commits";
    report.add(name, "ms", &p50, Some(&commit), Bound::Ratio(Better::Less, 6.0, 3.5));
    report.add("one 7-block run alone, p99", "ms", &p99, None, Bound::Value(Better::Less, 60.0, 20.0));
    Ok(())
}

/// Ends the engine after all loads: this is the last handle.
async fn stop(engine: Arc<Engine>, servers: &Servers) -> anyhow::Result<()> {
    let engine = Arc::into_inner(engine).context("the engine is still in use")?;
    anyhow::ensure!(engine.log.head() > Position(0), "nothing ran");
    engine.stop(servers).await
}

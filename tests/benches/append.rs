//! The log's append compared with plain Postgres commits: durable, versioned, chained, with receipts checked.

use std::sync::Arc;

use luci_schema::{
    Actor, ArtifactId, CommandId, CorrelationId, Event, RunId, StreamId, TenantId, Version,
    event::{Artifact, ArtifactEvent},
    log::{Append, Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use tokio::sync::Mutex;

use crate::{
    load::{self, Load},
    raw,
    report::{Better, Bound, Report},
    servers::Servers,
    steal,
};

/// One caller, appending to a stream of its own.
struct Caller {
    log: Log,
    tenant: TenantId,
    stream: StreamId,
    version: u64,
}

impl Caller {
    async fn append(&mut self, events: usize) -> anyhow::Result<u64> {
        let append = Append {
            tenant: self.tenant,
            stream: self.stream,
            expected: Version(self.version),
            events: (0..events).map(|_| fact()).collect(),
            actor: Actor::System,
            command: CommandId::derive(&[&self.stream.to_string(), &self.version.to_string()]),
            correlation: CorrelationId::generate(),
            causation: None,
            receipt: None,
        };
        self.version = self.log.append(append).await?.version().0;
        Ok(events as u64)
    }
}

/// An event of about 300 bytes.
pub fn fact() -> Event {
    let artifact_id = ArtifactId::generate();
    let artifact = Artifact {
        artifact_id,
        artifact_type: "enriched".into(),
        object_path: format!("{}/pipelines/{}/artifacts/enriched_1764000000_{artifact_id}.ndjson", TENANT, RUN),
        mime_type: "application/x-ndjson".into(),
        size_bytes: 131_072,
        checksum: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        leads: 250,
        parent_artifact_ids: Vec::new(),
    };
    ArtifactEvent::Created(Box::new(artifact)).into()
}

const TENANT: &str = "tenant_01JE5S9W3T4Y6Z8A0B2C4D6E8F";
const RUN: &str = "run_01JE5S9W3T4Y6Z8A0B2C4D6E8F";

/// `callers` appending `events` at a time.
pub async fn append(log: &Log, callers: usize, events: usize, seconds: f64) -> anyhow::Result<Load> {
    let tenant = TenantId::generate();
    let all: Vec<_> = (0..callers)
        .map(|_| {
            let stream = StreamId::Run(RunId::generate());
            Arc::new(Mutex::new(Caller { log: log.clone(), tenant, stream, version: 0 }))
        })
        .collect();
    load::run(callers, seconds, |number| {
        let caller = all[number].clone();
        move || {
            let caller = caller.clone();
            async move { caller.lock().await.append(events).await }
        }
    })
    .await
}

/// All figures of the log's append, each interleaved with the raw operation that bounds it.
pub async fn bench(servers: &Servers, report: &mut Report) -> anyhow::Result<()> {
    let url = servers.database().await?;
    let pool = migrate::connect(&url, DatabaseRole::Engine, 8).await?;
    let owner = sqlx::PgPool::connect(&url).await?;
    let log = Log::open(pool, LogOptions::default()).await?;

    // (name, our callers, events an append, raw connections, rows a commit, floor, goal)
    let cases = [
        ("append, 32 callers × 1", 32, 1, 32, 1, 0.85, 2.0),
        ("append, 8 callers × 5", 8, 5, 8, 5, 0.5, 1.2),
        ("append, 256 callers × 1", 256, 1, 1, 100, 0.4, 0.6),
    ];
    for (name, callers, events, connections, rows, floor, goal) in cases {
        let [plain, ours] = steal::rounds(|| async {
            raw::fresh(&owner).await?;
            let plain = raw::insert(&url, connections, rows).await?.per_second;
            Ok([plain, append(&log, callers, events, 3.0).await?.per_second])
        })
        .await?;
        let raw_name = format!("raw insert, {connections} connections × {rows}");
        report.add(&raw_name, "events/s", &plain, None, Bound::None);
        report.add(name, "events/s", &ours, Some(&plain), Bound::Ratio(Better::More, floor, goal));
    }
    let [plain, rate, ours, p99] = steal::rounds(|| async {
        raw::fresh(&owner).await?;
        let plain = raw::insert(&url, 1, 1).await?;
        let ours = append(&log, 1, 1, 3.0).await?;
        Ok([plain.p50, plain.per_second, ours.p50, ours.p99])
    })
    .await?;
    report.add("raw insert, 1 connection × 1", "events/s", &rate, None, Bound::None);
    report.add("raw one-row commit, p50", "ms", &plain, None, Bound::None);
    report.add("one append alone, p50", "ms", &ours, Some(&plain), Bound::Ratio(Better::Less, 2.5, 1.6));
    report.add("one append alone, p99", "ms", &p99, None, Bound::None);
    Ok(())
}

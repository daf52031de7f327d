//! Fixture: a database, a folder and a sandbox; runs that are driven block by block without a worker.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use luci_leads::{Lead, lead::line};
use luci_providers::{Providers, ProvidersConfig, RetryPolicy};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_sandbox::{Sandbox, SandboxOptions};
use luci_schema::{
    Actor, ArtifactId, BlockId, BlueprintId, Counts, ImportId, Micros, RunId, Stage, TenantId, Version,
    event::{
        Artifact, BlockInput, BlockQueued, BlockReport, Cursor, RunInput, RunOptions, RunQueued, StageSpec, TriggerType,
    },
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_stages::Tools;
use luci_storage::Storage;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::support::{self, Database};

pub struct Fixture {
    pub tenant: TenantId,
    pub tools: Tools,
    /// Of its store.
    pub folder: PathBuf,
    pub sandbox: Sandbox,
    /// Connections of the superuser.
    pub pool: PgPool,
    pub database: Database,
}

pub async fn fixture() -> Fixture {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let database = support::database().await;
    let engine = migrate::connect(database.url(), DatabaseRole::Engine, 8).await.expect("a pool");
    let folder = support::temp_dir("store");
    let storage = Storage::local(folder.clone(), "k".to_owned().into(), "http://localhost".into()).expect("a folder");
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await.expect("a port");
    let retry = RetryPolicy {
        retries: 0,
        base: Duration::ZERO,
        cap: Duration::ZERO,
        max_retry_after: Duration::ZERO,
        poll: Duration::ZERO,
        poll_timeout: Duration::from_secs(60),
    };
    let config = ProvidersConfig { retry, ..ProvidersConfig::all_at(&sandbox.url(), sandbox.key()) };
    let tools = Tools {
        pool: engine.clone(),
        log: Log::open(engine.clone(), LogOptions::default()).await.expect("a log"),
        storage,
        providers: Providers::new(engine, support::vault(), config).expect("addresses"),
    };
    let pool = database.pool().await;
    Fixture { tenant: TenantId::generate(), tools, folder, sandbox, pool, database }
}

impl Fixture {
    /// Stores a file and makes a run over it, all stages, blocks of 100.
    pub async fn import(&self, csv: impl Into<Vec<u8>>) -> Pipeline<'_> {
        let import_id = ImportId::generate();
        let place =
            ObjectLocation::Import { day: Day::of(Micros::now()), import_id, file: FileName::sanitise("leads.csv") };
        let key = ObjectKey::new(self.tenant, place);
        let bytes: Vec<u8> = csv.into();
        let (size_bytes, checksum) = (bytes.len() as u64, Some(hex::encode(Sha256::digest(&bytes))));
        self.tools.storage.put(&key, bytes.into(), "text/csv").await.expect("stored");
        let input = RunInput::Import { import_id, object_path: key.to_string(), size_bytes, rows: 0, checksum };
        self.pipeline(input, import_id.to_string())
    }

    pub fn pipeline(&self, input: RunInput, root_input_id: String) -> Pipeline<'_> {
        let run_id = RunId::generate();
        let spec = |stage: Stage| StageSpec { name: stage.to_string(), stage, config: serde_json::Value::Null };
        let run = RunQueued {
            pipeline_name: "luci_full".into(),
            blueprint_id: BlueprintId::generate(),
            blueprint_version: 1,
            stages: Stage::ALL.map(spec).into(),
            input,
            root_input_id,
            root_run_id: run_id,
            sector_id: None,
            sector_name: None,
            total_leads: 0,
            options: RunOptions { block_size: 100, ..RunOptions::default() },
            active_runs: 4,
            triggered_by: Actor::System,
            trigger_type: TriggerType::Manual,
            parent_run_id: None,
            replayed_from_run_id: None,
            budget_micros: None,
            prices: Default::default(),
        };
        Pipeline { fixture: self, run_id, run, stop: CancellationToken::new() }
    }

    /// Connections with the gateway's role.
    pub async fn reader(&self) -> PgPool {
        migrate::connect(self.database.url(), DatabaseRole::Gateway, 2).await.expect("a pool")
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a count")
    }

    /// The leads of an artifact.
    pub async fn leads(&self, artifact: &Artifact) -> Vec<Lead> {
        self.lines(artifact).await.iter().map(|text| line::read(text.as_bytes()).expect("a lead")).collect()
    }

    pub async fn lines(&self, artifact: &Artifact) -> Vec<String> {
        let bytes = self.tools.storage.get(&artifact.object_path).await.expect("an object");
        String::from_utf8(bytes.into()).expect("text").lines().map(str::to_owned).collect()
    }
}

/// A run without a log: its blocks one after another.
pub struct Pipeline<'a> {
    pub fixture: &'a Fixture,
    pub run_id: RunId,
    pub run: RunQueued,
    pub stop: CancellationToken,
}

/// All reports of a stage.
#[derive(Debug, Default)]
pub struct Done {
    pub tasks: Vec<BlockQueued>,
    pub reports: Vec<BlockReport>,
}

impl Done {
    pub fn counts(&self) -> Counts {
        self.reports.iter().fold(Counts::default(), |mut sum, report| {
            sum += report.counts;
            sum
        })
    }

    pub fn artifacts(&self, kind: &str) -> Vec<&Artifact> {
        self.reports.iter().flat_map(|report| &report.artifacts).filter(|a| a.artifact_type == kind).collect()
    }

    pub fn reasons(&self) -> BTreeMap<String, u64> {
        sums(self.reports.iter().map(|report| &report.reasons))
    }

    pub fn warnings(&self) -> BTreeMap<String, u64> {
        sums(self.reports.iter().map(|report| &report.warnings))
    }
}

fn sums<'a>(maps: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (reason, leads) in maps.flatten() {
        *sum.entry(reason.clone()).or_default() += leads;
    }
    sum
}

impl Pipeline<'_> {
    /// Of the file that it reads.
    pub fn object_path(&self) -> &str {
        match &self.run.input {
            RunInput::Import { object_path, .. } => object_path,
            other => panic!("{other:?} is no file"),
        }
    }

    pub fn configure(&mut self, stage: Stage, config: serde_json::Value) {
        self.run.stages.iter_mut().filter(|spec| spec.stage == stage).for_each(|spec| spec.config = config.clone());
    }

    pub fn queued(&self, stage: Stage, input: BlockInput) -> BlockQueued {
        BlockQueued {
            block_id: BlockId::generate(),
            stage,
            block_number: 1,
            sequence: 1,
            total_blocks: None,
            attempt: 0,
            retry_count: 0,
            retry_of: None,
            input,
            artifact_id: ArtifactId::generate(),
            unix: Micros::now().seconds(),
        }
    }

    pub fn task(&self, block: BlockQueued) -> Task {
        let spec = self.run.stages.iter().find(|spec| spec.stage == block.stage).expect("a stage of the run").clone();
        Task {
            tenant: self.fixture.tenant,
            run_id: self.run_id,
            run: Arc::new(self.run.clone()),
            spec,
            block,
            queued: Version(1),
            // 2026
            run_started_at: Micros(1_790_000_000_000_000),
            attempt: Some(1),
            stop: self.stop.clone(),
            spent: luci_runs::block::Spent::default(),
            permit: luci_runs::worker_permit::WorkerPermit::default(),
        }
    }

    pub async fn block(&self, block: &BlockQueued) -> Result<BlockReport, BlockFault> {
        let kinds = luci_stages::bound(&self.fixture.tools);
        let kind = kinds.iter().find(|kind| kind.stage() == block.stage).expect("a kind of each stage");
        kind.run(&self.task(block.clone()), &Progress::silent()).await
    }

    /// Runs every block of the stage and checks the reports against the input.
    pub async fn stage(&self, stage: Stage, inputs: Vec<BlockInput>) -> Done {
        let mut done = Done::default();
        for input in inputs {
            let block = self.queued(stage, input);
            let report = self.block(&block).await.unwrap_or_else(|fault| panic!("{stage}: {:?}", fault.failure));
            check(&block, &report);
            done.tasks.push(block);
            done.reports.push(report);
        }
        done
    }

    /// IMPORT, block by block as the cursor says.
    pub async fn read(&self) -> Done {
        let mut done = Done::default();
        let mut next = Some(Cursor::default());
        while let Some(cursor) = next {
            let one = self.stage(Stage::Import, vec![BlockInput::Source { cursor }]).await;
            next = one.reports[0].next.clone();
            done.tasks.extend(one.tasks);
            done.reports.extend(one.reports);
        }
        done
    }

    /// From the source through all of the run's stages up to `last`.
    pub async fn through(&self, last: Stage) -> BTreeMap<Stage, Done> {
        let mut all = BTreeMap::from([(Stage::Import, self.read().await)]);
        let mut before = Stage::Import;
        for stage in self.run.stages.iter().map(|spec| spec.stage).filter(|s| *s != Stage::Import && *s <= last) {
            let inputs = outputs(&all[&before], before);
            all.insert(stage, self.stage(stage, inputs).await);
            before = stage;
        }
        all
    }
}

/// What the next stage is given.
pub fn outputs(done: &Done, stage: Stage) -> Vec<BlockInput> {
    done.artifacts(stage.artifact_type()).into_iter().map(input).collect()
}

pub fn input(artifact: &Artifact) -> BlockInput {
    let (artifact_id, object_path, leads) = (artifact.artifact_id, artifact.object_path.clone(), artifact.leads);
    BlockInput::Artifact { artifact_id, object_path, leads, digest: Some(artifact.digest()) }
}

/// Checks the sums that hold in every report.
fn check(block: &BlockQueued, report: &BlockReport) {
    let counts = report.counts;
    assert!(counts.balanced(), "{counts:?}");
    if let BlockInput::Artifact { leads, .. } = &block.input {
        assert_eq!(counts.input, *leads);
    }
    let leads = |kind: &str| report.artifacts.iter().filter(|a| a.artifact_type == kind).map(|a| a.leads).sum::<u64>();
    assert_eq!(leads(block.stage.artifact_type()), counts.output());
    assert_eq!(leads("failed") + leads("rejected"), counts.failed);
    assert_eq!(report.failures.values().sum::<u64>(), counts.failed);
}

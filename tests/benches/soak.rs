//! Half an hour of mixed calls by 50 tenants beside a run of a million leads: no answer of class 5xx, flat memory, no lease lost.
//! `SOAK_MINUTES` and `SOAK_LEADS` make it shorter.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use luci::cli::demo::sample;
use luci_sandbox::{Sandbox, SandboxOptions};
use luci_schema::log::followers;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::{
    load::percentile,
    report::{Better, Bound, Report, Sample},
    up::{Access, Up, json as run, memory_kib, providers_of},
};

const TENANTS: usize = 50;
/// Between two calls of a tenant, on average.
const THINK: Duration = Duration::from_millis(1_000);
const SMALL_FILE: u64 = 100;
/// Memory is compared from here on: caches and pools are filled by then.
const WARM: f64 = 0.25;

/// What all tenants saw.
#[derive(Default)]
struct Seen {
    calls: AtomicU64,
    failed: Mutex<Vec<String>>,
    reads: Mutex<Vec<Duration>>,
}

pub async fn bench(dir: &Path, report: &mut Report) -> anyhow::Result<()> {
    let minutes = number("SOAK_MINUTES", 30);
    let leads = number("SOAK_LEADS", 1_000_000);
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await?;
    let mut variables = providers_of(&sandbox);
    variables.push(("LUCI_UPLOAD_MAX_BYTES".into(), "2000000000".into()));
    let up = Up::start(dir.join("soak"), variables).await?;
    let large_file = dir.join("soak.csv");
    sample::write(&large_file, leads)?;
    let large = up.first()?;
    let backlog = import(&up, &large, &["--start", "--max-leads", &leads.to_string()], &large_file)?;
    let tenants: Vec<Access> = (0..TENANTS).map(|n| up.another(&format!("Soak {n}"))).collect::<Result<_, _>>()?;
    let leases = lease_epochs(&up).await?;
    let (seen, until) = (Arc::new(Seen::default()), Instant::now() + Duration::from_secs(60 * minutes));
    let tasks: Vec<_> =
        (0..).zip(tenants).map(|(n, access)| tokio::spawn(tenant(n, access, Arc::clone(&seen), until))).collect();
    let memory = watch_memory(&up, until).await;
    for task in tasks {
        task.await??;
    }
    let lost = lease_epochs(&up).await?.saturating_sub(leases);
    let failed = std::mem::take(&mut *seen.failed.lock().unwrap_or_else(PoisonError::into_inner));
    failed.iter().take(10).for_each(|failure| println!("{failure}"));
    let status = status(&large, backlog["runId"].as_str().context("runId")?).await?;
    println!("{} calls in {minutes} minutes; the run of {leads} leads: {status}", seen.calls.load(Ordering::Relaxed));

    let mut reads = std::mem::take(&mut *seen.reads.lock().unwrap_or_else(PoisonError::into_inner));
    reads.sort_unstable();
    let none = Bound::Value(Better::Less, 0.0, 0.0);
    let figure = |value: f64| Sample { value, rounds: vec![value], steal: 0.0, note: String::new() };
    report.add("soak: answers of class 5xx, or none", "calls", &figure(failed.len() as f64), None, none);
    report.add("soak: leases that changed hands", "leases", &figure(lost as f64), None, none);
    let p99 = figure(percentile(&reads, 99));
    report.add("soak: reads of 50 tenants, p99", "ms", &p99, None, Bound::Value(Better::Less, 200.0, 50.0));
    let warm = (memory.len() as f64 * WARM) as usize;
    let (first, last) = (memory.get(warm), memory.last());
    let (first, last) = first.zip(last).context("no memory was measured")?;
    let growth = figure((*last as f64 / *first as f64 - 1.0) * 100.0);
    report.add("soak: memory of luci", "MB", &figure(*last as f64 * 1_024.0 / 1e6), None, Bound::None);
    report.add("soak: growth after the first quarter", "%", &growth, None, Bound::Value(Better::Less, 20.0, 5.0));
    drop(up);
    sandbox.stop().await;
    std::fs::remove_dir_all(dir.join("soak"))?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "the bench's own switches")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn import(up: &Up, access: &Access, args: &[&str], file: &Path) -> anyhow::Result<Value> {
    let mut import = up.luci(&["import", "--json"]);
    import.args(args).arg(file).env("LUCI_URL", &access.url).env("LUCI_API_KEY", &access.key);
    run(import)
}

/// One tenant's calls: mostly reads, as a dashboard makes them, and now and then a small import with its run.
async fn tenant(n: u64, access: Access, seen: Arc<Seen>, until: Instant) -> anyhow::Result<()> {
    let (client, mut random) = (Client::builder().timeout(Duration::from_secs(30)).build()?, StdRng::seed_from_u64(n));
    let (mut newest, mut turn) = (None::<String>, 0);
    let caller = Caller { client, access, seen };
    let stage = |name: &str| json!({"name": name, "stage": name, "config": {}});
    let stages = json!([stage("import"), stage("validate"), stage("score")]);
    let made = caller.send(Method::POST, "/api/blueprints", Some(json!({"name": "soak", "stages": stages}))).await;
    let blueprint = made.context("no blueprint")?["blueprintId"].clone();
    while Instant::now() < until {
        tokio::time::sleep(THINK.mul_f64(random.random_range(0.0..2.0))).await;
        turn += 1;
        match (random.random_range(0..20), &newest) {
            (0, _) => newest = caller.import(n * 1_000_000 + turn, &blueprint).await.or(newest),
            (1, _) => {
                let number = format!("+1917555{:04}", random.random_range(0..10_000));
                let body = json!({"kind": "phone", "value": number, "reason": "OPT_OUT"});
                caller.send(Method::POST, "/api/suppressions", Some(body)).await;
            }
            (2..=6, Some(run)) => drop(caller.read(&format!("/api/pipelines/{run}")).await),
            (7..=9, Some(run)) => drop(caller.read(&format!("/api/pipelines/{run}/events?limit=100")).await),
            (10 | 11, Some(run)) => drop(caller.read(&format!("/api/pipelines/{run}/artifacts")).await),
            (12, Some(run)) => drop(caller.read(&format!("/api/pipelines/{run}/verify")).await),
            (13, _) => drop(caller.read("/api/blueprints").await),
            (14, _) => drop(caller.read("/api/leads?limit=50").await),
            _ => drop(caller.read("/api/pipelines?limit=25").await),
        }
    }
    Ok(())
}

struct Caller {
    client: Client,
    access: Access,
    seen: Arc<Seen>,
}

impl Caller {
    async fn read(&self, path: &str) -> Option<Value> {
        let began = Instant::now();
        let answer = self.send(Method::GET, path, None).await;
        self.seen.reads.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
        answer
    }

    async fn import(&self, seed: u64, blueprint: &Value) -> Option<String> {
        let mut csv = Vec::new();
        sample::csv(&mut csv, SMALL_FILE, 1, seed).ok()?;
        let upload = self.client.post(format!("{}/api/imports?fileName=soak.csv", self.access.url));
        let upload = upload.header("content-type", "text/csv").body(csv);
        let import = self.answer(upload, "POST /api/imports").await?;
        let body = json!({"importId": import["importId"], "blueprintId": blueprint});
        let started = self.send(Method::POST, "/api/pipelines", Some(body)).await?;
        started["runId"].as_str().map(str::to_owned)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.access.url));
        if let Some(body) = &body {
            request = request.json(body);
        }
        self.answer(request, &format!("{method} {path}")).await
    }

    /// The answer of class 2xx. One of class 5xx, and none at all, is noted.
    async fn answer(&self, request: reqwest::RequestBuilder, what: &str) -> Option<Value> {
        self.seen.calls.fetch_add(1, Ordering::Relaxed);
        let fail = |why: String| self.seen.failed.lock().unwrap_or_else(PoisonError::into_inner).push(why);
        let response = match request.bearer_auth(&self.access.key).send().await {
            Ok(response) => response,
            Err(error) => {
                fail(format!("{what}: {error}"));
                return None;
            }
        };
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        if status.is_server_error() {
            fail(format!("{what}: {status} {text}"));
        }
        serde_json::from_str(&text).ok().filter(|_| status.is_success())
    }
}

/// Resident memory in KiB, every ten seconds.
async fn watch_memory(up: &Up, until: Instant) -> Vec<u64> {
    let mut memory = Vec::new();
    while Instant::now() < until {
        memory.extend(memory_kib(up.pid(), "VmRSS"));
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    memory
}

/// Each change of a lease's holder adds one.
async fn lease_epochs(up: &Up) -> anyhow::Result<i64> {
    let mut c = PgConnection::connect(&up.database_url()?).await?;
    Ok(followers(&mut c).await?.iter().map(|follower| follower.epoch).sum())
}

async fn status(access: &Access, run: &str) -> anyhow::Result<Value> {
    let request = Client::new().get(format!("{}/api/pipelines/{run}", access.url)).bearer_auth(&access.key);
    let detail: Value = request.send().await?.json().await?;
    ensure!(detail["run"]["status"].is_string(), "{detail}");
    Ok(json!({"status": detail["run"]["status"], "progress": detail["run"]["progress"]}))
}

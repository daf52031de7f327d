//! Fixture: a system whose sandbox posts answers, and a blueprint that submits batches.

use luci_providers::ProvidersConfig;
use luci_sandbox::{Post, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::{
    gateway::fixture::send_csv,
    support::{Api, System, SystemOptions, eventually, system_with},
};

/// The price of a match, in micro-dollars.
pub const PRICE: u64 = 100_000;
pub const BATCHES: &str = "/v1/SkipTraceBatch";

pub async fn sandbox() -> Sandbox {
    Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await.expect("a port")
}

/// Every role, one worker permit a stage, and this sandbox.
pub async fn system_at(sandbox: &Sandbox, options: SystemOptions) -> System {
    let mut providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    providers.sites.values_mut().for_each(|site| site.limits = Default::default());
    system_with(SystemOptions { providers, ..options }).await
}

/// Every role, and one worker permit a stage.
pub async fn fixture() -> (System, Sandbox) {
    let sandbox = sandbox().await;
    let mut options = SystemOptions::default();
    options.workers.concurrency = 1;
    (system_at(&sandbox, options).await, sandbox)
}

/// Starts a run that only traces a number of leads.
pub async fn start(api: &Api, leads: usize, block_size: usize, trace: Value) -> String {
    let stage = |name: &str, config: Value| json!({"name": name, "stage": name, "config": config});
    let stages = [stage("import", json!({})), stage("validate", json!({})), stage("skip_trace", trace)];
    let (status, blueprint) = api.post("/api/blueprints", &json!({"name": "traced", "stages": stages})).await;
    assert_eq!(status, 201, "{blueprint}");
    let row = |n| format!("Firm {n},Ann,Lee{n},ann{n}@firm{n}.example,{n} Main St,Albany,NY,12207\n");
    let rows: String = (1..=leads).map(row).collect();
    let csv = format!("Company,First Name,Last Name,Email,Address,City,State,Zip\n{rows}");
    let (status, import) = send_csv(api, csv).await;
    assert_eq!(status, 201, "{import}");
    let body = json!({"importId": import["importId"], "blueprintId": blueprint["blueprintId"],
        "options": {"blockSize": block_size}});
    let (status, run) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{run}");
    run["runId"].as_str().expect("an id").to_owned()
}

/// Posts that the sandbox was asked for, once there are so many.
pub async fn held(sandbox: &Sandbox, many: usize) -> Vec<Post> {
    let mut posts = Vec::new();
    eventually(&format!("{many} posts"), async || {
        posts.extend(sandbox.held());
        posts.len() >= many
    })
    .await;
    assert_eq!(posts.len(), many);
    posts
}

/// Posts all of them; answers how many were taken for the first time.
pub async fn post_all(sandbox: &Sandbox, posts: &[Post]) -> usize {
    let mut new = 0;
    for post in posts {
        let response = sandbox.post(post).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let taken: Value = response.json().await.expect("JSON");
        new += usize::from(taken["duplicate"] == false);
    }
    new
}

/// How many of these items are matches.
pub fn matches(posts: &[Post]) -> u64 {
    posts.iter().filter(|post| post.body["match"] == true).count() as u64
}

pub fn calls(sandbox: &Sandbox, path: &str) -> u64 {
    sandbox.ledger().calls.get(path).copied().unwrap_or_default()
}

/// The blocks of SKIP_TRACE.
pub fn traced(detail: &Value) -> Vec<&Value> {
    let blocks = detail["blocks"].as_array().expect("blocks");
    blocks.iter().filter(|block| block["stageName"] == "skip_trace").collect()
}

pub fn metric(detail: &Value, name: &str) -> u64 {
    let stages = detail["stages"].as_array().expect("stages");
    let stage = stages.iter().find(|stage| stage["stage"] == "skip_trace").expect("the stage");
    stage["metrics"][name].as_u64().expect("a count")
}

/// The stored answers' cost, and the part of it that was paid twice.
pub async fn paid(system: &System) -> (u64, u64) {
    let sums: (i64, i64) = sqlx::query_as(
        "select coalesce(sum(cost_micros), 0)::bigint, coalesce(sum(paid_again_micros), 0)::bigint from provider_results",
    )
    .fetch_one(&system.database.pool().await)
    .await
    .expect("sums");
    (sums.0.unsigned_abs(), sums.1.unsigned_abs())
}

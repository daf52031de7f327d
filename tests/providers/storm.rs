//! Runs with a provider that often refuses, fails or returns garbage: every lead is accounted for, none is paid twice.

use std::time::Duration;

use luci_providers::{ProvidersConfig, RetryPolicy};
use luci_sandbox::{Fault, Sandbox, SandboxOptions};
use luci_schema::Stage;
use serde_json::json;

use super::fixture::at_once;
use crate::{
    blocks,
    gateway::fixture::{import, start},
    support::{System, SystemOptions, system_with},
};

async fn stormy(specs: &[&str]) -> (System, Sandbox) {
    let specs = specs.iter().map(|spec| spec.parse().expect("a spec")).collect();
    let options = SandboxOptions { specs, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), options).await.expect("a port");
    let retry = RetryPolicy { base: Duration::from_millis(10), ..at_once() };
    let providers = ProvidersConfig { retry, ..ProvidersConfig::all_at(&sandbox.url(), sandbox.key()) };
    (system_with(SystemOptions { providers, ..SystemOptions::default() }).await, sandbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_through_a_storm_completes_with_every_lead_accounted_for() {
    let leads = 500;
    let (system, sandbox) = stormy(&["apollo:429=0.2,5xx=0.05,garbage=0.02,retry-after=0s"]).await;
    let (run, _) = start(&system.api, leads).await;
    let detail = system.api.run_ended(&run).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    let enrich = detail["stages"].as_array().expect("stages").iter().find(|stage| stage["name"] == "enrich");
    let metrics = &enrich.expect("the stage")["metrics"];
    let count = |name: &str| metrics[name].as_u64().expect("a count");
    let answered = count("successCount") + count("noMatchCount");
    assert_eq!(answered + count("failedCount") + count("skippedCount"), leads as u64, "{metrics}");
    let ledger = sandbox.ledger();
    let apollo = ledger.providers["apollo"];
    assert!(apollo.faults > 0, "{apollo:?}");
    assert_eq!((apollo.asked, ledger.asked_twice()), (answered, vec![]), "each lead that was answered was asked once");
    assert_eq!(detail["run"]["costMicros"], json!((ledger.providers["apollo"].billed) * 100_000));
}

#[tokio::test]
async fn a_retry_asks_about_the_twelve_that_failed_and_nobody_else() {
    let fixture = blocks::fixture::fixture().await;
    let rows: String = (0..250).map(|n| format!("F{n},Ann,Lee{n},{n} Main St,Albany,NY,12207\n")).collect();
    let mut run = fixture.import(format!("Company,First Name,Last Name,Address,City,State,Zip\n{rows}")).await;
    run.run.options.block_size = 250;
    let validated = run.through(Stage::Validate).await;
    let inputs = blocks::fixture::outputs(&validated[&Stage::Validate], Stage::Validate);
    fixture.sandbox.fault_next(Fault::Without(12), 1);
    let traced = run.stage(Stage::SkipTrace, inputs).await;
    assert_eq!((traced.counts().input, traced.counts().failed), (250, 12));
    let failed = traced.artifacts("failed");
    let again = run.stage(Stage::SkipTrace, vec![blocks::fixture::input(failed[0])]).await;
    assert_eq!((again.counts().input, again.counts().failed), (12, 0));
    let ledger = fixture.sandbox.ledger();
    let times = |sent: u32| ledger.people.values().filter(|entry| entry.sent == sent).count();
    assert_eq!((times(1), times(2), ledger.people.len()), (238, 12, 250));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_a_limit_waits_and_says_so() {
    let options = SandboxOptions::default();
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), options).await.expect("a port");
    let mut providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    providers.max_quota_wait = Duration::ZERO;
    for site in providers.sites.values_mut() {
        site.limits.tenant_per_day = Some(30);
    }
    let system = system_with(SystemOptions { providers, ..SystemOptions::default() }).await;
    let import = import(&system.api, 50).await;
    let (_, started) = system.api.post("/api/pipelines", &json!({"importId": import})).await;
    let run = started["runId"].as_str().expect("an id");
    let waiting = |detail: &serde_json::Value| detail["run"]["waitingFor"]["reason"] == "provider_budget";
    let detail = system.api.run_when(run, waiting).await;
    assert_eq!(detail["run"]["waitingFor"]["provider"], "apollo");
    assert_eq!(detail["run"]["status"], "running");
    assert_eq!(sandbox.ledger().providers["apollo"].asked, 30);
    // As after midnight: the block continues by itself with the other twenty.
    let pool = system.database.pool().await;
    sqlx::query("update provider_days set day = day - 1").execute(&pool).await.expect("moved");
    let block = detail["run"]["waitingFor"]["blockId"].as_str();
    assert!(block.is_none(), "the reason is the provider's, not the block's");
    let failed = detail["blocks"].as_array().expect("blocks").iter().find(|block| block["status"] == "failed");
    let failed = failed.expect("a failed block")["blockId"].as_str().expect("an id").to_owned();
    let (status, body) = system.api.post(&format!("/api/pipelines/{run}/blocks/{failed}/retry"), &json!({})).await;
    assert_eq!(status, 202, "{body}");
    let detail = system.api.run_ended(run).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    let ledger = sandbox.ledger();
    assert_eq!((ledger.providers["apollo"].asked, ledger.asked_twice()), (50, vec![]));
}

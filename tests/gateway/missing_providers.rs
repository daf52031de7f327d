//! Runs whose stages need a provider that has no key.

use luci_providers::ProvidersConfig;
use luci_sandbox::{Sandbox, SandboxOptions};
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::import;
use crate::support::{System, SystemOptions, system_with};

pub async fn without_keys() -> System {
    system_with(SystemOptions { providers: ProvidersConfig::default(), ..SystemOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_names_the_stage_the_provider_and_the_remedy() {
    let system = without_keys().await;
    let api = &system.api;
    let import = import(api, 3).await;
    let body = json!({"importId": import});
    let (status, problem) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem["type"].as_str().is_some_and(|kind| kind.ends_with("missing-provider")), "{problem}");
    let detail = problem["detail"].as_str().expect("a detail");
    for part in [
        "ENRICH needs apollo",
        "luci provider set apollo",
        "LUCI_APOLLO_KEY",
        "SKIP_TRACE needs realestate",
        "onMissingProvider",
    ] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    assert_eq!(problem["missing"][0]["stage"], "enrich");
    let (status, estimate) = api.post("/api/pipelines/estimate", &body).await;
    assert_eq!((status.as_u16(), &estimate["missingProviders"]), (200, &problem["missing"]));
    assert_eq!(api.get("/api/pipelines").await.1["total"], 0, "nothing was queued");

    // With a key of the tenant's own for one of them, only the other is named.
    let put = api.request(Method::PUT, "/api/providers/apollo").json(&json!({"key": "own"}));
    let status = put.send().await.expect("an answer").status();
    assert!(status.is_success(), "{status}");
    let (_, problem) = api.post("/api/pipelines", &body).await;
    let stages: Vec<&Value> = problem["missing"].as_array().expect("a list").iter().map(|m| &m["stage"]).collect();
    assert_eq!(stages, ["skip_trace"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_go_on_without_a_provider_if_the_caller_says_so() {
    let system = without_keys().await;
    let api = &system.api;
    let import = import(api, 5).await;
    let body = json!({"importId": import, "options": {"onMissingProvider": "skip"}});
    let (status, queued) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{queued}");
    let ended = api.run_ended(queued["runId"].as_str().expect("an id")).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    let stages = ended["stages"].as_array().expect("stages");
    assert_eq!(stages.len(), 7);
    for stage in stages {
        let name = stage["stage"].as_str().expect("a name");
        let skipped = if name == "enrich" || name == "skip_trace" { 5 } else { 0 };
        assert_eq!(
            (&stage["metrics"]["skippedCount"], &stage["metrics"]["failedCount"]),
            (&json!(skipped), &json!(0)),
            "{stage}"
        );
    }
    assert_eq!(ended["run"]["costMicros"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_an_outage_are_named_in_the_failure() {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await.expect("a port");
    for (address, part) in [(sandbox.url(), "refused the key"), ("http://127.0.0.1:9".into(), "does not respond")] {
        let providers = ProvidersConfig::all_at(&address, "wrong");
        let system = system_with(SystemOptions { providers, ..SystemOptions::default() }).await;
        let import = import(&system.api, 3).await;
        let (status, queued) = system.api.post("/api/pipelines", &json!({"importId": import})).await;
        assert_eq!(status, 202, "{queued}");
        let run = queued["runId"].as_str().expect("an id");
        let failed =
            |detail: &Value| detail["blocks"].as_array().is_some_and(|all| all.iter().any(|b| !b["error"].is_null()));
        let detail = system.api.run_when(run, failed).await;
        let error = detail["blocks"].as_array().expect("blocks").iter().find(|b| !b["error"].is_null()).expect("one");
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains(part), "{part}: {message}");
    }
}

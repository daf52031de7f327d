//! After an outage of a provider: the first block that it answers makes due what waits for it.

use luci_providers::ProvidersConfig;
use luci_providers::config::{BreakerPolicy, RetryPolicy};
use luci_sandbox::{Faults, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::fixture::import;
use crate::support::{Api, System, SystemOptions, eventually, system_with};

/// A system whose calls to providers are not retried within a block.
async fn system() -> (System, Sandbox) {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let sandbox = Sandbox::start(listen, SandboxOptions::default()).await.expect("a sandbox");
    let retry = RetryPolicy { retries: 0, ..RetryPolicy::default() };
    // The blocks wait by their own pauses, not by that of the breaker.
    let breaker = BreakerPolicy { failures: 10_000, ..BreakerPolicy::default() };
    let providers = ProvidersConfig { retry, breaker, ..ProvidersConfig::all_at(&sandbox.url(), sandbox.key()) };
    (system_with(SystemOptions { providers, ..SystemOptions::default() }).await, sandbox)
}

async fn events(api: &Api, run: &str, kind: &str) -> Vec<Value> {
    let (_, page) = api.get(&format!("/api/pipelines/{run}/events?type={kind}&limit=500")).await;
    page["events"].as_array().expect("events").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_blocks_are_retried_with_the_first_answer_of_their_provider() {
    let (system, sandbox) = system().await;
    let api = &system.api;
    sandbox.set_faults(Faults { unavailable: 1_000, ..Faults::default() });
    let import = import(api, 60).await;
    let options = json!({"blockSize": 20});
    let (status, started) = api.post("/api/pipelines", &json!({"importId": import, "options": options})).await;
    assert_eq!(status, 202, "{started}");
    let run = started["runId"].as_str().expect("an id");
    // The second failure of each block has a pause of half a minute.
    eventually("three blocks have failed twice", async || events(api, run, "block:failed").await.len() == 6).await;
    sandbox.set_faults(Faults::default());
    let failed = events(api, run, "block:failed").await;
    let probe = failed[5]["data"]["blockId"].as_str().expect("an id").to_owned();
    let (status, problem) = api.post(&format!("/api/pipelines/{run}/blocks/{probe}/retry"), &json!({})).await;
    assert_eq!(status, 202, "{problem}");
    assert_eq!(api.run_ended(run).await["run"]["status"], "completed");

    let due = |block: &Value| {
        let last = failed.iter().rev().find(|event| event["data"]["blockId"] == *block).expect("it failed");
        last["data"]["retryAtMicros"].as_i64().expect("a time")
    };
    let retried = events(api, run, "block:retried").await;
    let waited = retried.iter().skip(3).filter(|event| event["data"]["blockId"] != probe.as_str());
    let waited: Vec<&Value> = waited.collect();
    assert_eq!(waited.len(), 2, "each once: {retried:?}");
    for event in waited {
        let at = event["recordedAtMicros"].as_i64().expect("a time");
        assert!(at < due(&event["data"]["blockId"]), "retried before its pause was over: {event}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_block_is_retried_when_its_provider_answers_again() {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let sandbox = Sandbox::start(listen, SandboxOptions::default()).await.expect("a sandbox");
    let retry = RetryPolicy { retries: 0, ..RetryPolicy::default() };
    // The first failure opens it, for longer than a test waits.
    let hour = std::time::Duration::from_secs(3_600);
    let breaker = BreakerPolicy { failures: 1, pause: hour, longest: hour };
    let providers = ProvidersConfig { retry, breaker, ..ProvidersConfig::all_at(&sandbox.url(), sandbox.key()) };
    let system = system_with(SystemOptions { providers, ..SystemOptions::default() }).await;
    let api = &system.api;
    sandbox.set_faults(Faults { unavailable: 1_000, ..Faults::default() });
    let import = import(api, 10).await;
    let (status, started) = api.post("/api/pipelines", &json!({"importId": import})).await;
    assert_eq!(status, 202, "{started}");
    let run = started["runId"].as_str().expect("an id");
    let waits = |failed: &[Value]| failed.iter().any(|event| event["data"]["failure"]["notBeforeMicros"].is_i64());
    eventually("the block waits for the breaker", async || waits(&events(api, run, "block:failed").await)).await;
    sandbox.set_faults(Faults::default());
    let ended = api.run_ended(run).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    let failed = events(api, run, "block:failed").await;
    let due = failed.iter().filter_map(|event| event["data"]["retryAtMicros"].as_i64()).max().expect("a time");
    let retried = events(api, run, "block:retried").await;
    let last = retried.last().and_then(|event| event["recordedAtMicros"].as_i64()).expect("a retry");
    assert!(last < due, "retried before its pause was over");
}

#[tokio::test]
async fn a_daily_limit_that_a_run_will_reach_is_told_when_it_starts() {
    let (system, _sandbox) = system().await;
    let api = &system.api;
    let limits = json!({"perMinute": null, "perDay": 25});
    let set = api.request(reqwest::Method::PUT, "/api/providers/apollo/limits").json(&limits).send().await;
    assert_eq!(set.expect("an answer").status(), 202);
    let expected =
        json!([{"stage": "enrich", "provider": "apollo", "leads": 60, "leftToday": 25, "perDay": 25, "days": 2}]);
    let body = json!({"importId": import(api, 60).await});
    let (_, estimate) = api.post("/api/pipelines/estimate", &body).await;
    let of_apollo = |answer: &Value| {
        let all = answer["limits"].as_array().cloned().unwrap_or_default();
        Value::Array(all.into_iter().filter(|limit| limit["provider"] == "apollo").collect())
    };
    assert_eq!(of_apollo(&estimate), expected, "{estimate}");
    let (status, started) = api.post("/api/pipelines", &body).await;
    assert_eq!((status.as_u16(), of_apollo(&started)), (202, expected), "{started}");
    let body = json!({"importId": import(api, 25).await, "allowRepeat": true});
    assert_eq!(of_apollo(&api.post("/api/pipelines/estimate", &body).await.1), json!([]), "today is enough");
}

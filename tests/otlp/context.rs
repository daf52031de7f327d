//! A caller's trace context without a collector: kept with the events, passed on, and never a reason to refuse.

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    gateway::{
        automations::{history, made, of},
        fixture::{import, whole},
    },
    support::Api,
};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

async fn start(api: &Api, traceparents: &[&str]) -> String {
    let body = json!({"importId": import(api, 3).await, "allowRepeat": true});
    let mut request = api.request(Method::POST, "/api/pipelines").json(&body);
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    let run: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    run["runId"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned()
}

/// The trace contexts in the metadata of the run's events, from its start to its end.
async fn contexts(api: &Api, run: &str) -> Vec<Option<String>> {
    assert_eq!(api.run_ended(run).await["run"]["status"], "completed");
    let (_, page) = api.get(&format!("/api/pipelines/{run}/events")).await;
    let events = page["events"].as_array().unwrap_or_else(|| panic!("{page}"));
    assert!(events.len() > 16, "{page}");
    events.iter().map(|event| event["metadata"]["traceparent"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_s_context_is_in_every_event_of_its_run_and_on_nats() {
    let (system, sandbox) = whole().await;
    let mut watched = system.nats.client().await.subscribe("luci.>").await.expect("a subscription");
    let run = start(&system.api, &[TRACEPARENT]).await;
    for context in contexts(&system.api, &run).await {
        assert_eq!(context.as_deref(), Some(TRACEPARENT));
    }
    let message = loop {
        let message = watched.next().await.expect("a message");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if event["type"] == "luci.run.completed.v1" {
            assert_eq!(event["traceparent"], TRACEPARENT);
            break message;
        }
    };
    let header = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
    assert_eq!(header.map(|header| header.as_str()), Some(TRACEPARENT));
    assert_eq!(sandbox.traces(), [TRACEPARENT.to_owned()].into());
    // The metadata is part of what the hashes cover.
    let (_, verified) = system.api.get(&format!("/api/pipelines/{run}/verify")).await;
    assert_eq!(verified["intact"], true, "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_none_is_ignored() {
    let (system, _sandbox) = whole().await;
    let upper = TRACEPARENT.to_uppercase();
    for invalid in [&["john@example.com"][..], &[&upper], &[TRACEPARENT, TRACEPARENT], &[]] {
        let run = start(&system.api, invalid).await;
        assert!(contexts(&system.api, &run).await.iter().all(Option::is_none), "{invalid:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_an_automation_starts_belongs_to_what_triggered_it() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let trigger = json!({"type": "lead_created", "conditions": []});
    let id = made(api, &json!({"name": "welcome", "trigger": trigger})).await;
    let lead = json!({"companyName": "Firm", "phones": [{"number": "(917) 555-0101", "kind": "mobile"}]});
    let request = api.request(Method::POST, "/api/leads").header("traceparent", TRACEPARENT);
    let added = request.json(&json!({"leads": [lead]})).send().await.expect("an answer");
    assert_eq!(added.status(), 201);
    let recent = history(api, &id, |recent| of(recent, "automation:fired").len() == 1).await;
    let run = of(&recent, "automation:fired")[0]["runId"].as_str().expect("a run").to_owned();
    for context in contexts(api, &run).await {
        assert_eq!(context.as_deref(), Some(TRACEPARENT));
    }
}

//! The real binary with a collector: one run is one trace.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use luci_sandbox::{PROVIDERS, Sandbox, SandboxOptions};
use luci_schema::Stage;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::collector::{Collector, Span};
use crate::{
    gateway::fixture::import,
    support::{Api, Luci, Servers, database, eventually, luci_with, nats},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Attributes of spans: ids, names of our own, counts. Nothing that a person or a vendor wrote.
const ATTRIBUTES: [&str; 13] = [
    "attempt",
    "block.id",
    "command",
    "events",
    "operation",
    "position",
    "provider",
    "request.id",
    "run.id",
    "stage",
    "stream.id",
    "tenant.id",
    "service.version",
];

async fn sandbox() -> Sandbox {
    Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await.expect("a port")
}

/// The settings of a process that calls the sandbox, and sends its traces there.
fn settings(sandbox: &Sandbox, collector: &str) -> Vec<(&'static str, String)> {
    let mut settings = vec![("LUCI_OTLP_URL", collector.to_owned())];
    for provider in PROVIDERS {
        let mut set = |name: &str, value: String| {
            let name = format!("LUCI_{}_{name}", provider.name.to_uppercase());
            settings.push((name.leak(), value));
        };
        set("URL", sandbox.url());
        set("KEY", sandbox.key().to_owned());
        if let Some(account) = provider.account {
            set("ACCOUNT", account.to_owned());
        }
    }
    settings
}

/// Starts a run through all stages, in a trace of the caller if that is given.
async fn start(api: &Api, traceparent: Option<&str>) -> String {
    let mut request = api.request(Method::POST, "/api/pipelines").json(&json!({"importId": import(api, 20).await}));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let run: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    run["runId"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn stages(spans: &[Span]) -> BTreeSet<&str> {
    named(spans, "block").iter().filter_map(|span| span.attribute("stage")).collect()
}

/// Each event of the run on NATS names the trace, in the CloudEvent and in the header; returns how many there are.
async fn traced_events(watched: &mut async_nats::Subscriber, run: &str) -> usize {
    let mut events = 0;
    loop {
        let message = watched.next().await.expect("a message");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if event["subject"] != run {
            continue;
        }
        let trace = event["traceparent"].as_str().unwrap_or_else(|| panic!("no trace: {event}"));
        assert!(trace.starts_with(&format!("00-{TRACE}-")) && trace.ends_with("-01"), "{event}");
        let header = message.headers.as_ref().and_then(|headers| headers.get("traceparent")).expect("a header");
        assert_eq!(header.as_str(), trace);
        events += 1;
        if event["type"] == "luci.run.completed.v1" {
            return events;
        }
    }
}

/// Each span is in the trace, under another of its spans or the caller's, and says nothing about people.
fn check_each(spans: &[Span], ids: &BTreeMap<&str, &Span>) {
    for span in spans {
        assert_eq!(span.trace, TRACE, "{span:?}");
        assert!(span.parent == CALLER || ids.contains_key(span.parent.as_str()), "no parent: {span:?}");
        for (name, value) in &span.attributes {
            assert!(ATTRIBUTES.contains(&name.as_str()) && !value.contains('@'), "{name}={value}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_is_one_trace_from_the_request_to_the_provider() {
    let (collector, sandbox) = (Collector::start().await, sandbox().await);
    let (database, nats) = tokio::join!(database(), nats());
    let mut variables = settings(&sandbox, &collector.url());
    // No trace that begins here is sent: only the caller's, which is sampled.
    variables.push(("LUCI_OTLP_RATIO", "0".to_owned()));
    let mut luci = luci_with(Servers::on(&database, &nats), variables).await;
    let api = luci.api();
    let mut watched = nats.client().await.subscribe("luci.>").await.expect("a subscription");
    let run = start(&api, Some(&format!("00-{TRACE}-{CALLER}-01"))).await;
    let ended = api.run_ended(&run).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");

    let events = traced_events(&mut watched, &run).await;
    // Its end sends the last spans.
    assert_eq!(luci.stop().await.code(), Some(0));

    let spans = collector.spans();
    let ids: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    check_each(&spans, &ids);
    let request = named(&spans, "request");
    assert_eq!(request.len(), 1, "{request:?}");
    assert_eq!((request[0].parent.as_str(), request[0].kind), (CALLER, SpanKind::Server));
    assert_eq!(request[0].attribute("operation"), Some("startRun"));
    let parent = |span: &Span| ids[span.parent.as_str()].name.clone();
    for (name, kind, parents) in [
        ("command", SpanKind::Internal, &["request", "append", "block"][..]),
        ("append", SpanKind::Internal, &["command"]),
        ("publish", SpanKind::Producer, &["append"]),
        ("block", SpanKind::Consumer, &["append"]),
        ("provider_call", SpanKind::Client, &["block"]),
    ] {
        for span in named(&spans, name) {
            assert_eq!(span.kind, kind, "{span:?}");
            assert!(parents.contains(&parent(span).as_str()), "{} under {}", name, parent(span));
        }
    }
    assert_eq!(named(&spans, "publish").len(), events);
    assert_eq!(stages(&spans), Stage::ALL.iter().map(|stage| stage.as_str()).collect());
    let calls = named(&spans, "provider_call");
    assert!(!calls.is_empty());
    // The provider could continue each of them.
    let sent: BTreeSet<String> = calls.iter().map(|call| format!("00-{TRACE}-{}-01", call.id)).collect();
    assert_eq!(sandbox.traces(), sent);
    // The clock's start belongs to the request that queued the run.
    let starts = named(&spans, "command").into_iter().filter(|span| span.attribute("command") == Some("start"));
    assert!(starts.count() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_spans_and_one_line() {
    let (sandbox, (database, nats)) = (sandbox().await, tokio::join!(database(), nats()));
    // Nothing listens there.
    let luci = luci_with(Servers::on(&database, &nats), settings(&sandbox, "http://127.0.0.1:9")).await;
    let api = luci.api();
    let run = start(&api, None).await;
    assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
    let lost = r#"luci_trace_spans_total{outcome="lost"}"#;
    eventually("lost spans are counted", async || metrics(&api).await.contains(lost)).await;
    // More of them add no line.
    let counted = metrics(&api).await;
    eventually("more are lost", async || line(&metrics(&api).await, lost) != line(&counted, lost)).await;
    assert_eq!(log(&luci).matches("traces not sent").count(), 1, "{}", log(&luci));

    // A trace begins with the request, and all events of the run are in it.
    let (_, page) = api.get(&format!("/api/pipelines/{run}/events")).await;
    let events = page["events"].as_array().expect("events");
    let traces: BTreeSet<&str> = events
        .iter()
        .map(|event| event["metadata"]["traceparent"].as_str().and_then(|text| text.get(3..35)).expect("a trace"))
        .collect();
    assert_eq!(traces.len(), 1, "{traces:?}");
    let (_, verified) = api.get(&format!("/api/pipelines/{run}/verify")).await;
    assert_eq!(verified["intact"], true, "{verified}");
}

async fn metrics(api: &Api) -> String {
    match api.get("/metrics").await.1 {
        Value::String(text) => text,
        other => panic!("{other}"),
    }
}

fn line<'a>(metrics: &'a str, name: &str) -> Option<&'a str> {
    metrics.lines().find(|line| line.starts_with(name))
}

fn log(luci: &Luci) -> String {
    std::fs::read_to_string(luci.data_dir.join("luci.log")).expect("a log")
}

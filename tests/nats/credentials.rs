//! The endpoint, and a client that follows a run with what it returns.

use futures::StreamExt;
use luci_config::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{connect, credential};
use crate::{
    gateway::fixture::{start, still, whole},
    support::Api,
};

#[tokio::test]
async fn a_client_sees_every_event_of_a_run() {
    let (system, _sandbox) = whole().await;
    let credential = credential(&system.api).await;
    let (tenant, inbox) = (system.tenant, credential["inboxPrefix"].as_str().expect("an inbox"));
    assert_eq!(credential["subjects"], json!([format!("luci.{tenant}.>"), format!("tele.{tenant}.>")]));
    let web_socket = credential["webSocketUrl"].as_str().expect("a WebSocket");
    let snippet = credential["snippet"].as_str().expect("a snippet");
    for part in [web_socket, inbox, &format!("luci.{tenant}.>")] {
        assert!(snippet.contains(part), "{snippet}");
    }
    let client = connect(&credential).await.expect("connected");
    let mut messages = client.subscribe(format!("luci.{tenant}.>")).await.expect("subscribed");
    client.flush().await.expect("flushed");
    let (run, _) = start(&system.api, 40).await;
    let mut received = Vec::new();
    while let Some(message) = messages.next().await {
        let body: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if body["subject"] == run.as_str() {
            received.push((body["version"].as_u64().expect("a version"), body["id"].clone()));
            if body["type"] == "luci.run.completed.v1" {
                break;
            }
        }
    }
    let (_, events) = system.api.get(&format!("/api/pipelines/{run}/events?limit=200")).await;
    let logged: Vec<_> = events["events"].as_array().expect("events").iter().collect();
    let logged: Vec<_> =
        logged.iter().map(|event| (event["version"].as_u64().expect("a version"), event["eventId"].clone())).collect();
    assert!(received.len() > 10);
    assert_eq!(received, logged);
}

#[tokio::test]
async fn a_credential_lasts_as_long_as_asked_and_never_longer_than_an_hour() {
    let system = still().await;
    for seconds in [0, -1, 3_601, 1_000_000] {
        let (status, body) = system.api.post("/api/nats-credentials", &json!({"ttlSeconds": seconds})).await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(body["errors"][0]["field"], "ttlSeconds", "{body}");
        assert!(body["errors"][0]["reason"].as_str().is_some_and(|reason| reason.contains("3600")), "{body}");
    }
    for wrong in [json!({"ttlSeconds": "900"}), json!({"ttl": 900}), json!({"ttlSeconds": 1.5})] {
        let (status, body) = system.api.post("/api/nats-credentials", &wrong).await;
        assert_eq!(status, 422, "{body}");
    }
    let end = |credential: &Value| credential["expiresAt"].as_str().expect("a time").to_owned();
    let (_, long) = system.api.post("/api/nats-credentials", &json!({"ttlSeconds": 3_600})).await;
    // No body is no wish.
    let response = system.api.request(Method::POST, "/api/nats-credentials").send().await.expect("an answer");
    assert_eq!(response.status(), 201);
    let default: Value = response.json().await.expect("JSON");
    let (_, short) = system.api.post("/api/nats-credentials", &json!({"ttlSeconds": 60})).await;
    assert!(end(&short) < end(&default) && end(&default) < end(&long), "{short} {default} {long}");
}

#[tokio::test]
async fn every_role_that_reads_gets_one_within_the_scopes_of_its_key() {
    let system = still().await;
    for role in Role::ALL {
        let api = key(&system.api, json!({"name": "n", "role": role})).await;
        connect(&credential(&api).await).await.expect("connected");
    }
    let api = key(&system.api, json!({"name": "n", "role": "viewer", "scopes": ["leads"]})).await;
    assert_eq!(api.post("/api/nats-credentials", &json!({})).await.0, 403);
    let api = key(&system.api, json!({"name": "n", "role": "viewer", "scopes": ["nats-credentials"]})).await;
    connect(&credential(&api).await).await.expect("connected");
    let nobody = Api::new(system.api.url.clone(), "luci_nobody");
    assert_eq!(nobody.post("/api/nats-credentials", &json!({})).await.0, 401);
}

/// Another key of the tenant.
pub async fn key(api: &Api, body: Value) -> Api {
    let (status, created) = api.post("/api/keys", &body).await;
    assert_eq!(status, 201, "{created}");
    Api::new(api.url.clone(), created["key"].as_str().expect("a key"))
}

//! HTTP itself: methods, ids of requests, limits, health, figures, the document of the API.

use reqwest::Method;
use serde_json::{Value, json};

use super::ground::still;

#[tokio::test]
async fn methods_that_do_not_apply_name_those_that_do() {
    let system = still().await;
    let wrong = system.api.request(Method::PATCH, "/api/pipelines").send().await.expect("an answer");
    assert_eq!(wrong.status(), 405);
    assert_eq!(wrong.headers()["allow"], "GET, POST, HEAD, OPTIONS");
    let options = system.api.request(Method::OPTIONS, "/api/keys").send().await.expect("an answer");
    assert_eq!(
        (options.status().as_u16(), &options.headers()["allow"]),
        (204, &"GET, POST, HEAD, OPTIONS".parse().expect("one"))
    );
    let head = system.api.request(Method::HEAD, "/api/pipelines").send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    let (status, problem) = system.api.get("/api/nothing").await;
    assert_eq!((status.as_u16(), &problem["type"]), (404, &json!("urn:luci:problem:no-such-route")));
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let system = still().await;
    let mine = system.api.request(Method::GET, "/api/pipelines/x").header("x-request-id", "mine-1");
    let answer = mine.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-request-id"], "mine-1");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["requestId"], "mine-1");
    let fresh = system.api.request(Method::GET, "/healthz").send().await.expect("an answer");
    assert_eq!(fresh.headers()["x-request-id"].len(), 26);
}

#[tokio::test]
async fn bodies_are_bounded_and_typed() {
    let system = still().await;
    let large = system.api.request(Method::POST, "/api/pipelines").json(&json!({"importId": "x".repeat(2 << 20)}));
    assert_eq!(large.send().await.expect("an answer").status(), 413);
    let broken =
        system.api.request(Method::POST, "/api/pipelines").header("content-type", "application/json").body("{");
    assert_eq!(broken.send().await.expect("an answer").status(), 400);
    let untyped = system.api.request(Method::POST, "/api/pipelines").body("{}");
    assert_eq!(untyped.send().await.expect("an answer").status(), 415);
}

#[tokio::test]
async fn health_readiness_figures_and_the_document_are_open() {
    let mut system = still().await;
    let url = system.api.url.clone();
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{url}{path}")).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(get("/healthz").await.0, 200);
    let (status, ready) = get("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["postgres"], &ready["nats"]), (200, &json!("up"), &json!("up")), "{ready}");
    assert!(ready["followers"].as_array().is_some_and(|all| all.iter().any(|f| f["name"] == "projector")), "{ready}");
    let (_, figures) = get("/metrics").await;
    assert!(figures.contains("luci_http_requests_total{operation=\"getReadiness\""), "{figures}");
    let (_, document) = get("/api/openapi.json").await;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    system.nats.stop().await;
    let (status, ready) = get("/readyz").await;
    assert_eq!(status, 200, "the broker makes nothing unready: {ready}");
}

#[tokio::test]
async fn large_answers_are_compressed_when_asked() {
    let system = still().await;
    let request = system.api.request(Method::GET, "/api/openapi.json").header("accept-encoding", "gzip");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
}

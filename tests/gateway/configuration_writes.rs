//! Many writes of configuration at once, and the largest ones.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::fixture::still;

/// Far more than the gateway has connections.
const CALLERS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_of_each_kind_are_answered() {
    let system = still().await;
    let api = &system.api;
    let stages = json!([{"name": "import", "stage": "import", "config": {}}]);
    let kinds: [(&str, &dyn Fn(usize) -> Value); 7] = [
        ("/api/sectors", &|n| json!({"name": format!("Sector {n}")})),
        ("/api/blueprints", &|n| json!({"name": format!("Blueprint {n}"), "stages": stages})),
        ("/api/automations", &|n| json!({"name": format!("a{n}"), "trigger": {"type": "lead_created"}})),
        ("/api/templates", &|n| json!({"name": format!("t{n}"), "body": "Hi {{firstName}}"})),
        ("/api/keys", &|n| json!({"name": format!("k{n}"), "role": "member"})),
        (
            "/api/suppressions",
            &|n| json!({"kind": "phone", "value": format!("212555{:04}", n), "reason": "COMPLIANCE_HOLD"}),
        ),
        ("/api/webhook-tokens", &|_| json!({"source": "apollo"})),
    ];
    for (path, body) in kinds {
        let bodies: Vec<Value> = (0..CALLERS).map(body).collect();
        let answers = join_all(bodies.iter().map(|body| api.post(path, body))).await;
        for (status, answer) in answers {
            assert!(status.is_success(), "{path}: {status} {answer}");
        }
    }
    // Writes to one entity wait for each other and are all recorded.
    let (_, made) = api.post("/api/blueprints", &json!({"name": "One", "stages": stages})).await;
    let next = json!({"blueprintId": made["blueprintId"], "name": "One", "stages": stages});
    for (status, answer) in join_all((0..CALLERS).map(|_| api.post("/api/blueprints", &next))).await {
        assert!(status.is_success() || status == 409 || status == 412, "{status} {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_an_event_is_refused_and_the_relay_goes_on() {
    let system = still().await;
    let api = &system.api;
    let text = |bytes: usize| "x".repeat(bytes);
    let push = |bytes| json!([{"name": "import", "stage": "import", "config": {"note": text(bytes)}}]);
    for (path, body) in [
        ("/api/sectors", json!({"name": "Big", "description": text(1_000_000)})),
        ("/api/blueprints", json!({"name": "Big", "stages": push(1_000_000)})),
        ("/api/templates", json!({"name": "Big", "body": text(1_000_000)})),
        ("/api/automations", json!({"name": "Big", "trigger": {"type": "lead_created", "note": text(1_000_000)}})),
        ("/api/keys", json!({"name": text(1_000_000), "role": "member"})),
        ("/api/pipelines", json!({"name": text(1_000_000)})),
        ("/api/leads", json!({"leads": [{"companyName": text(1_000_000)}]})),
    ] {
        let (status, problem) = api.post(path, &body).await;
        assert!(status.is_client_error(), "{path}: {status} {problem}");
    }
    let (status, made) = api.post("/api/sectors", &json!({"name": "Small"})).await;
    assert_eq!(status, 201, "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_with_one_key_get_one_answer() {
    let system = still().await;
    let api = &system.api;
    let stages = json!([{"name": "import", "stage": "import", "config": {}}]);
    let kinds = [
        ("/api/sectors", json!({"name": "North"})),
        ("/api/blueprints", json!({"name": "Mine", "stages": stages})),
        ("/api/automations", json!({"name": "a", "trigger": {"type": "lead_created"}})),
        ("/api/templates", json!({"name": "t", "body": "Hi {{firstName}}"})),
        ("/api/keys", json!({"name": "k", "role": "member"})),
        ("/api/suppressions", json!({"kind": "phone", "value": "2125550101", "reason": "COMPLIANCE_HOLD"})),
        ("/api/webhook-tokens", json!({"source": "apollo"})),
        ("/api/leads", json!({"leads": [{"companyName": "Acme", "phone": "2125550102"}]})),
    ];
    for (path, body) in kinds {
        let answers = join_all((0..20).map(|_| api.post_once(path, &body, "one"))).await;
        let (status, first) = &answers[0];
        assert!(status.is_success(), "{path}: {status} {first}");
        // A secret is in one answer only: it is not stored.
        let without_secret = |(status, body): &(StatusCode, Value)| {
            let mut body = body.clone();
            for secret in ["key", "path", "token"] {
                body.as_object_mut().expect("an object").remove(secret);
            }
            (*status, body)
        };
        for answer in &answers {
            assert_eq!(without_secret(answer), without_secret(&answers[0]), "{path}");
        }
        // The same value in another form is the same request; another value is not.
        let text = format!(" {} ", serde_json::to_string_pretty(&body).expect("JSON"));
        let again = api.request(reqwest::Method::POST, path).header("idempotency-key", "one");
        let again = again.header("content-type", "application/json").body(text).send().await.expect("an answer");
        assert_eq!(again.status(), *status, "{path}");
        let mut other = body.clone();
        other["name"] = json!("other");
        let (status, problem) = api.post_once(path, &other, "one").await;
        assert_eq!(status, 422, "{path}: {problem}");
    }
}

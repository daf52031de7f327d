//! Limits of requests: for each key, for each address without one, for deliveries; and whose address counts.

use luci::process::ProcessRole;
use luci_gateway::{Options, Proxies, Rate, RateLimitOptions};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Api, System, SystemOptions, system_with};

/// More requests than any limit of these tests allows while they are sent.
const MANY: usize = 5_000;

async fn limited(rate_limits: RateLimitOptions, proxies: Proxies) -> System {
    let gateway = Options { rate_limits, proxies, ..Options::default() };
    system_with(SystemOptions { roles: vec![ProcessRole::Gateway], gateway, ..SystemOptions::default() }).await
}

fn none() -> RateLimitOptions {
    RateLimitOptions { key: None, address: None, webhook: None }
}

/// The first answer that is refused.
async fn refused(mut send: impl AsyncFnMut() -> Response) -> Response {
    for _ in 0..MANY {
        let answer = send().await;
        if answer.status() == 429 {
            return answer;
        }
    }
    panic!("all {MANY} were answered")
}

async fn get(api: &Api, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = api.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn a_key_has_a_limit_and_its_answers_say_so() {
    let system = limited(RateLimitOptions { key: Some(Rate::new(1, 5)), ..none() }, Proxies::None).await;
    let (_, other) = system.other_tenant("other").await;
    let first = get(&system.api, "/api/pipelines", &[]).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["ratelimit-policy"]),
        (200, &"\"key\";q=5;w=5".parse().unwrap())
    );
    assert_eq!(first.headers()["ratelimit"], "\"key\";r=4;t=1");
    let answer = refused(async || get(&system.api, "/api/pipelines", &[]).await).await;
    assert_eq!(
        (&answer.headers()["retry-after"], &answer.headers()["ratelimit"]),
        (&"1".parse().unwrap(), &"\"key\";r=0;t=5".parse().unwrap())
    );
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&problem["type"], &problem["scope"]),
        (&json!("urn:luci:problem:rate-limited"), &json!("key")),
        "{problem}"
    );
    // A stream counts when it opens.
    refused(async || get(&system.api, "/api/stream", &[]).await).await;
    assert_eq!(get(&other, "/api/pipelines", &[]).await.status(), 200, "another key");
    for path in ["/healthz", "/metrics"] {
        for _ in 0..20 {
            assert_eq!(get(&system.api, path, &[]).await.status(), 200, "{path}");
        }
    }
    let metrics = get(&other, "/metrics", &[]).await.text().await.expect("text");
    assert!(metrics.contains("luci_http_rate_limited_total{scope=\"key\"}"), "{metrics}");
}

#[tokio::test]
async fn an_address_without_a_valid_key_has_a_limit_and_a_valid_key_does_not_notice() {
    let system = limited(RateLimitOptions { address: Some(Rate::new(1, 5)), ..none() }, Proxies::None).await;
    let wrong = Api::new(system.api.url.clone(), "luci_wrong");
    let answer = refused(async || get(&wrong, "/api/pipelines", &[]).await).await;
    assert_eq!(answer.json::<Value>().await.expect("JSON")["scope"], "address");
    let sign_in = async || {
        let request = reqwest::Client::new().post(format!("{}/api/session", system.api.url));
        request.json(&json!({"key": "luci_wrong"})).send().await.expect("an answer")
    };
    refused(sign_in).await;
    refused(async || get(&wrong, "/api/nothing", &[]).await).await;
    for _ in 0..20 {
        assert_eq!(get(&system.api, "/api/pipelines", &[]).await.status(), 200, "a valid key");
    }
    let delivery = system.api.request(Method::POST, "/api/webhooks/twilio/no-such-token").body("{}");
    assert_eq!(delivery.send().await.expect("an answer").status(), 404, "deliveries have a limit of their own");
}

#[tokio::test]
async fn deliveries_have_a_limit_of_their_own() {
    let system = limited(RateLimitOptions { webhook: Some(Rate::new(1, 5)), ..none() }, Proxies::None).await;
    let deliver = async || {
        let request = system.api.request(Method::POST, "/api/webhooks/twilio/no-such-token").body("{}");
        request.send().await.expect("an answer")
    };
    let answer = refused(deliver).await;
    assert_eq!(answer.json::<Value>().await.expect("JSON")["scope"], "webhook");
    assert_eq!(get(&system.api, "/api/nothing", &[]).await.status(), 404);
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_it_saw_counts() {
    let options = RateLimitOptions { address: Some(Rate::new(1, 5)), ..none() };
    let system = limited(options, Proxies::ForwardedFor(1)).await;
    let wrong = Api::new(system.api.url.clone(), "luci_wrong");
    let from = async |forwarded: &str| get(&wrong, "/api/pipelines", &[("x-forwarded-for", forwarded)]).await;
    refused(async || from("192.0.2.1").await).await;
    assert_eq!(from("192.0.2.2").await.status(), 401, "another caller");
    // What a caller adds itself is before what the proxy adds.
    refused(async || from("198.51.100.7, 192.0.2.1").await).await;
    let direct = limited(options, Proxies::None).await;
    let wrong = Api::new(direct.api.url.clone(), "luci_wrong");
    let mut n = 0;
    let invented = async || {
        n += 1;
        get(&wrong, "/api/pipelines", &[("x-forwarded-for", &format!("192.0.2.{}", n % 256))]).await
    };
    refused(invented).await;
}

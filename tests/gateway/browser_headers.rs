//! Headers for browsers under https (HSTS, content security policy), and the origin check of requests with a cookie.

use luci::process::ProcessRole;
use luci_gateway::Options;
use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use super::keys::sign_in;
use crate::support::{System, SystemOptions, system_with};

async fn system(gateway: Options) -> System {
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections];
    system_with(SystemOptions { roles, gateway, ..SystemOptions::default() }).await
}

async fn headers(system: &System, path: &str) -> HeaderMap {
    reqwest::get(format!("{}{path}", system.api.url)).await.expect("an answer").headers().clone()
}

#[tokio::test]
async fn under_https_answers_have_hsts_and_a_strict_policy() {
    let public_url = Some("https://luci.example".to_owned());
    let https = system(Options { tls: true, public_url, ..Options::default() }).await;
    for path in ["/api/pipelines", "/api/nothing", "/healthz", "/", "/admin/pipelines"] {
        let headers = headers(&https, path).await;
        assert_eq!(headers["strict-transport-security"], "max-age=31536000", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
    }
    let page = headers(&https, "/admin/pipelines").await["content-security-policy"].clone();
    let page = page.to_str().expect("text");
    assert!(page.contains("connect-src 'self' wss://luci.example wss://127.0.0.1:"), "{page}");
    assert!(
        page.contains("; upgrade-insecure-requests") && !page.contains(" ws://") && !page.contains("wss:;"),
        "{page}"
    );
    let answer = headers(&https, "/api/pipelines").await["content-security-policy"].clone();
    assert_eq!(answer, "default-src 'none'; frame-ancestors 'none'");

    let http = system(Options::default()).await;
    let page = headers(&http, "/admin/pipelines").await;
    assert!(page.get("strict-transport-security").is_none());
    let policy = page["content-security-policy"].to_str().expect("text");
    assert!(policy.contains(" ws://127.0.0.1:") && !policy.contains("upgrade-insecure-requests"), "{policy}");
}

#[tokio::test]
async fn behind_a_proxy_the_public_origin_is_our_own() {
    let public_url = Some("https://luci.example".to_owned());
    let system = system(Options { tls: true, public_url, ..Options::default() }).await;
    let cookie = sign_in(&system.api.url, &system.api.key).await;
    let post = async |origin: &str| {
        let request =
            reqwest::Client::new().request(Method::POST, format!("{}/api/pipelines/estimate", system.api.url));
        let request = request.header("cookie", &cookie).header("origin", origin).json(&json!({}));
        request.send().await.expect("an answer").status().as_u16()
    };
    // The proxy calls us by another host.
    assert_eq!(post("https://luci.example").await, 422);
    assert_eq!(post(&system.api.url).await, 422, "called directly");
    for foreign in ["http://luci.example", "https://luci.example:8443", "https://evil.example", "null"] {
        assert_eq!(post(foreign).await, 403, "{foreign}");
    }
}

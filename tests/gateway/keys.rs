//! Keys and sessions: shown once, stored hashed, revoked at once.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::still;
use crate::support::Api;

#[tokio::test]
async fn a_revoked_key_ends_at_once_with_its_sessions() {
    let system = still().await;
    let (status, made) = system.api.post("/api/keys", &json!({"role": "member", "name": "robot"})).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["key"].as_str().expect("a secret");
    let robot = Api::new(system.api.url.clone(), secret);
    assert_eq!(robot.get("/api/pipelines").await.0, 200);
    let cookie = sign_in(&system.api.url, secret).await;
    assert_eq!(with_cookie(&system.api.url, Method::GET, "/api/session", &cookie, None).await, 200);
    let key = made["keyId"].as_str().expect("an id");
    assert_eq!(system.api.delete(&format!("/api/keys/{key}")).await.0, 202);
    assert_eq!(robot.get("/api/pipelines").await.0, 401);
    assert_eq!(with_cookie(&system.api.url, Method::GET, "/api/session", &cookie, None).await, 401);
    assert_eq!(system.api.delete(&format!("/api/keys/{key}")).await.0, 202, "ended it stays");
    let (_, listed) = system.api.get("/api/keys").await;
    assert!(!listed.to_string().contains(secret), "a list never shows a secret");
    assert!(listed["keys"][0]["revokedAt"].is_string());
}

#[tokio::test]
async fn secrets_are_stored_hashed_and_shown_only_once() {
    let system = still().await;
    let (_, made) = system.api.post_once("/api/keys", &json!({"role": "viewer"}), "k").await;
    let (status, again) = system.api.post_once("/api/keys", &json!({"role": "viewer"}), "k").await;
    assert_eq!((status.as_u16(), &again["keyId"], &again["key"]), (201, &made["keyId"], &Value::Null));
    let secret = made["key"].as_str().expect("a secret");
    let stored: String = sqlx::query_scalar("select coalesce(string_agg(k::text, ' '), '') from api_keys k")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("read");
    assert!(!stored.contains(&secret[12..]));
}

#[tokio::test]
async fn a_key_that_expired_or_is_scoped_elsewhere_is_refused() {
    let system = still().await;
    let past = json!({"role": "viewer", "expiresAt": "2020-01-01T00:00:00Z"});
    assert_eq!(system.api.post("/api/keys", &past).await.0, 422);
    let scoped = json!({"role": "admin", "scopes": ["imports"]});
    let (_, made) = system.api.post("/api/keys", &scoped).await;
    let api = Api::new(system.api.url.clone(), made["key"].as_str().expect("a secret"));
    assert_eq!(api.get("/api/imports").await.0, 200);
    assert_eq!(api.get("/api/pipelines").await.0, 403);
    assert_eq!(Api::new(system.api.url.clone(), "luci_nobody").get("/api/pipelines").await.0, 401);
}

#[tokio::test]
async fn a_cookie_works_for_our_own_pages_only() {
    let system = still().await;
    let url = &system.api.url;
    let cookie = sign_in(url, &system.api.key).await;
    assert_eq!(with_cookie(url, Method::GET, "/api/pipelines", &cookie, None).await, 200);
    let origin = url.as_str();
    assert_eq!(with_cookie(url, Method::POST, "/api/pipelines", &cookie, None).await, 403);
    assert_eq!(with_cookie(url, Method::POST, "/api/pipelines", &cookie, Some("http://evil.example")).await, 403);
    assert_eq!(with_cookie(url, Method::POST, "/api/pipelines", &cookie, Some(origin)).await, 422, "read, and refused");
    assert_eq!(with_cookie(url, Method::DELETE, "/api/session", &cookie, Some(origin)).await, 204);
    assert_eq!(with_cookie(url, Method::GET, "/api/pipelines", &cookie, None).await, 401);
}

pub async fn sign_in(url: &str, key: &str) -> String {
    let request = reqwest::Client::new().post(format!("{url}/api/session")).json(&json!({"key": key}));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 201);
    let cookie = response.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn with_cookie(url: &str, method: Method, path: &str, cookie: &str, origin: Option<&str>) -> StatusCode {
    let mut request = reqwest::Client::new().request(method, format!("{url}{path}")).header("cookie", cookie);
    if let Some(origin) = origin {
        request = request.header("origin", origin).json(&json!({}));
    }
    request.send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_key_passes_on_no_more_than_it_has() {
    let system = still().await;
    let make = async |api: &Api, body: Value| {
        let (status, made) = api.post("/api/keys", &body).await;
        (status.as_u16(), made)
    };
    let soon = "2099-01-01T00:00:00Z";
    let body = json!({"role": "admin", "scopes": ["keys", "imports"], "expiresAt": soon});
    let (status, made) = make(&system.api, body).await;
    assert_eq!(status, 201, "{made}");
    let scoped = Api::new(system.api.url.clone(), made["key"].as_str().expect("a secret"));
    for (body, expected) in [
        (json!({"role": "member", "expiresAt": soon}), 403),
        (json!({"role": "member", "scopes": ["pipelines"], "expiresAt": soon}), 403),
        (json!({"role": "member", "scopes": ["imports", "pipelines"], "expiresAt": soon}), 403),
        (json!({"role": "member", "scopes": ["imports"]}), 403),
        (json!({"role": "member", "scopes": ["imports"], "expiresAt": "2099-01-01T00:00:01Z"}), 403),
        (json!({"role": "member", "scopes": ["imports"], "expiresAt": soon}), 201),
        (json!({"role": "admin", "scopes": ["keys", "imports"], "expiresAt": "2098-01-01"}), 201),
    ] {
        let (status, answer) = make(&scoped, body.clone()).await;
        assert_eq!(status, expected, "{body} {answer}");
    }
}

//! A credential ends with its key or session, and survives the restart of what checks it.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{connect, credential, raw::Raw, token};
use crate::{
    gateway::fixture::still,
    support::{Api, Servers, System, eventually, luci},
};

async fn open(system: &System, token: &str) -> Raw {
    let mut client = Raw::connect(system.nats.port(), &json!({"auth_token": token})).await;
    client.send(&format!("SUB luci.{}.> 1\r\n", system.tenant)).await;
    let answers = client.answers().await;
    assert!(!answers.closed && answers.errors.is_empty(), "{answers:?}");
    client
}

/// Open connections end, and no new one is let in.
async fn ends(system: &System, mut client: Raw, token: &str) {
    assert!(client.end().await.closed);
    let mut again = Raw::connect(system.nats.port(), &json!({"auth_token": token})).await;
    assert!(again.answers().await.closed, "a new connection with an ended credential");
}

/// A key that is not the owner's: its id and the API with it.
async fn viewer(system: &System, body: Value) -> (String, Api) {
    let (status, created) = system.api.post("/api/keys", &body).await;
    assert_eq!(status, 201, "{created}");
    let api = Api::new(system.api.url.clone(), created["key"].as_str().expect("a key"));
    (created["keyId"].as_str().expect("an id").to_owned(), api)
}

#[tokio::test]
async fn the_connections_of_a_revoked_key_end_and_those_of_others_stay() {
    let system = still().await;
    let (id, api) = viewer(&system, json!({"name": "v", "role": "viewer"})).await;
    let (revoked, kept) = (credential(&api).await, credential(&system.api).await);
    let (client, mut other) = (open(&system, token(&revoked)).await, open(&system, token(&kept)).await);
    let second = open(&system, token(&revoked)).await;
    assert_eq!(system.api.delete(&format!("/api/keys/{id}")).await.0, 202);
    ends(&system, client, token(&revoked)).await;
    ends(&system, second, token(&revoked)).await;
    assert!(!other.answers().await.closed);
}

#[tokio::test]
async fn the_connections_of_a_session_end_when_it_signs_out() {
    let system = still().await;
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", system.api.url);
    let signed_in =
        http.post(url("/api/session")).json(&json!({"key": system.api.key})).send().await.expect("an answer");
    let cookie = signed_in.headers()[header::SET_COOKIE].to_str().expect("text").split(';').next().expect("a cookie");
    let request =
        |method, path: &str| http.request(method, url(path)).header("cookie", cookie).header("origin", &system.api.url);
    let made = request(Method::POST, "/api/nats-credentials").json(&json!({})).send().await.expect("an answer");
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.expect("JSON");
    let of_key = credential(&system.api).await;
    let (client, mut other) = (open(&system, token(&made)).await, open(&system, token(&of_key)).await);
    assert_eq!(request(Method::DELETE, "/api/session").send().await.expect("an answer").status(), 204);
    ends(&system, client, token(&made)).await;
    assert!(!other.answers().await.closed, "the key itself is still valid");
}

#[tokio::test]
async fn a_connection_ends_with_its_credential_and_with_its_key() {
    let system = still().await;
    let (status, short) = system.api.post("/api/nats-credentials", &json!({"ttlSeconds": 2})).await;
    assert_eq!(status, 201, "{short}");
    let client = open(&system, token(&short)).await;
    ends(&system, client, token(&short)).await;
    // A key that is about to expire gives no credential beyond that.
    let soon = luci_schema::Micros::now().plus_millis(3_000).rfc3339();
    let (_, api) = viewer(&system, json!({"name": "v", "role": "viewer", "expiresAt": soon})).await;
    let made = credential(&api).await;
    assert_eq!(made["expiresAt"], soon.as_str());
    let client = open(&system, token(&made)).await;
    ends(&system, client, token(&made)).await;
}

#[tokio::test]
async fn a_key_that_changes_role_or_whose_tenant_is_closed_loses_its_connections() {
    let system = still().await;
    let (id, api) = viewer(&system, json!({"name": "m", "role": "member"})).await;
    let made = credential(&api).await;
    let client = open(&system, token(&made)).await;
    sqlx::query("update api_keys set role = 'viewer' where id = $1")
        .bind(&id)
        .execute(&system.running.pool)
        .await
        .expect("changed");
    ends(&system, client, token(&made)).await;
    let made = credential(&system.api).await;
    let client = open(&system, token(&made)).await;
    sqlx::query("update tenants set status = 'suspended' where id = $1")
        .bind(system.tenant)
        .execute(&system.database.pool().await)
        .await
        .expect("suspended");
    ends(&system, client, token(&made)).await;
}

#[tokio::test]
async fn a_restarted_nats_lets_the_same_credential_in() {
    let mut system = still().await;
    let made = credential(&system.api).await;
    system.nats.kill().await;
    system.nats.restart().await;
    eventually("the gateway answers again", async || connect(&made).await.is_ok()).await;
}

#[tokio::test]
async fn a_restarted_gateway_lets_the_same_credential_in_and_ends_what_an_earlier_one_let_in() {
    let mut luci = luci(Servers::Private).await;
    let (status, created) = luci.api().post("/api/keys", &json!({"name": "v", "role": "viewer"})).await;
    assert_eq!(status, 201, "{created}");
    let viewer = Api::new(luci.api().url, created["key"].as_str().expect("a key"));
    let made = credential(&viewer).await;
    let port = made["url"].as_str().and_then(|url| url.rsplit_once(':')).expect("a port").1.parse().expect("a number");
    let mut client = Raw::connect(port, &json!({"auth_token": token(&made)})).await;
    assert!(!client.answers().await.closed);
    luci.kill().await;
    luci.start().await;
    eventually("the gateway answers again", async || connect(&made).await.is_ok()).await;
    assert!(!client.answers().await.closed, "NATS was not restarted");
    let path = format!("/api/keys/{}", created["keyId"].as_str().expect("an id"));
    assert_eq!(luci.api().delete(&path).await.0, 202);
    assert!(client.end().await.closed);
}

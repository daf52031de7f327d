//! HTTP: methods, request ids, limits, health, metrics, the API document.

use std::time::Duration;

use luci::process::ProcessRole;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{csv, still};
use crate::support::{System, SystemOptions, eventually, system_with};

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
async fn methods_without_a_path_are_refused() {
    let system = still().await;
    let address = system.api.url.trim_start_matches("http://").to_owned();
    for line in ["CONNECT example.com:443 HTTP/1.1", "OPTIONS * HTTP/1.1", "BREW / HTTP/1.1"] {
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        let request = format!("{line}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('4') || status.starts_with('2'), "{line}: {answer}");
        assert!(line.starts_with("OPTIONS") || status.starts_with('4'), "{line}: {answer}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_loses_its_database_is_answered_with_retry_after() {
    let system = still().await;
    let owner = system.database.pool().await;
    let mut held = owner.begin().await.expect("a transaction");
    sqlx::query("lock table pipeline_runs in access exclusive mode").execute(&mut *held).await.expect("locked");
    let request = tokio::spawn(system.api.request(Method::GET, "/api/pipelines").send());
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
    eventually("a query waits for the table and is cut", async || {
        sqlx::query_scalar::<_, i64>(cut).fetch_one(&owner).await.expect("a count") > 0
    })
    .await;
    let answer = request.await.expect("joined").expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers().get("retry-after").is_some()), (503, true));
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:luci:problem:unavailable", "{problem}");
    held.rollback().await.expect("released");
    assert_eq!(system.api.get("/api/pipelines").await.0, 200);
}

#[tokio::test]
async fn health_readiness_metrics_and_the_api_document_need_no_key() {
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
    let kinds = figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in kinds {
        assert!(figures.contains(&format!("# HELP {name} ")), "{name} has no HELP");
    }
    let (_, document) = get("/api/openapi.json").await;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    system.nats.stop().await;
    let (status, ready) = get("/readyz").await;
    assert_eq!(status, 200, "the broker makes nothing unready: {ready}");
}

#[tokio::test]
async fn large_answers_are_compressed_on_request() {
    let system = still().await;
    let request = system.api.request(Method::GET, "/api/openapi.json").header("accept-encoding", "gzip");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
}

async fn connection(system: &System) -> TcpStream {
    TcpStream::connect(system.api.url.trim_start_matches("http://")).await.expect("a connection")
}

/// Reads until the text has arrived or the server closes.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    let whole = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            match stream.read(&mut buffer).await.expect("readable") {
                0 => break,
                n => read.extend_from_slice(&buffer[..n]),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), whole).await.expect("an answer or an end");
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_connection_survives_an_unread_body() {
    let system = still().await;
    let mut stream = connection(&system).await;
    for method in ["POST /api/nothing", "DELETE /api/pipelines/x", "POST /api/pipelines", "PATCH /api/pipelines"] {
        let head = format!("{method} HTTP/1.1\r\nhost: luci\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("open");
        // Many clients send the body in a packet of its own.
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"{}").await.expect("open");
        let answer = read_until(&mut stream, "\"urn:luci:problem:").await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{method}: {answer:?}");
        assert!(!answer.contains("connection: close"), "{method}: {answer:?}");
    }
    let head = b"POST /api/nothing HTTP/1.1\r\nhost: luci\r\ncontent-length: 9000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.expect("open");
    let answer = read_until(&mut stream, "\"urn:luci:problem:").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("connection: close"), "{answer:?}");
}

#[tokio::test]
async fn an_idle_new_connection_is_closed() {
    let gateway =
        luci_gateway::Options { header_timeout: Duration::from_millis(300), ..luci_gateway::Options::default() };
    let roles = vec![ProcessRole::Gateway];
    let system = system_with(SystemOptions { roles, gateway, ..SystemOptions::default() }).await;
    for sent in ["", "P", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\n"] {
        let mut stream = connection(&system).await;
        stream.write_all(sent.as_bytes()).await.expect("open");
        assert_eq!(read_until(&mut stream, "never").await, "", "closed without an answer: {sent:?}");
    }
}

#[tokio::test]
async fn zero_characters_are_named_not_stumbled_over() {
    let system = still().await;
    for path in ["/api/pipelines?q=a%00", "/api/sectors?state=%00", "/api/sectors?cursor=%00"] {
        let (status, problem) = system.api.get(path).await;
        assert_eq!((status.as_u16(), &problem["type"]), (422, &json!("urn:luci:problem:invalid")), "{problem}");
    }
    let (status, problem) =
        system.api.post("/api/luci/orchestrate", &json!({"bucketId": "a\0", "action": "push"})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("body")), "{problem}");
}

#[tokio::test]
async fn a_file_keeps_its_name() {
    let system = still().await;
    let send = async |name: &str| {
        let request = system.api.request(Method::POST, &format!("/api/imports?fileName={name}"));
        let answer = request.header("content-type", "text/csv").body(csv(1)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    let (status, import) = send("Smith%2C%20Jones.csv").await;
    assert_eq!((status, &import["fileName"]), (201, &json!("Smith, Jones.csv")), "{import}");
    let (status, problem) = send(&"x".repeat(256)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("fileName")), "{problem}");
}

//! The API as a caller with a key uses it.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{document::check_status, wait::DEADLINE};

/// A gateway and a key.
#[derive(Debug, Clone)]
pub struct Api {
    pub url: String,
    pub key: String,
    http: reqwest::Client,
}

impl Api {
    pub fn new(url: String, key: &str) -> Self {
        let _first_wins = rustls::crypto::ring::default_provider().install_default();
        Self { url, key: key.to_owned(), http: reqwest::Client::new() }
    }

    /// A request with the key, to be added to and sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// With an `Idempotency-Key`.
    pub async fn post_once(&self, path: &str, body: &Value, key: &str) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// The run's detail, once `done` says so; panics after `DEADLINE` with the last detail.
    pub async fn run_when(&self, run: &str, done: impl Fn(&Value) -> bool) -> Value {
        let until = tokio::time::Instant::now() + DEADLINE;
        loop {
            let (status, detail) = self.get(&format!("/api/pipelines/{run}")).await;
            if status.is_success() && done(&detail) {
                return detail;
            }
            assert!(tokio::time::Instant::now() < until, "{run} did not get there: {status} {detail:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The run's detail, once it has ended.
    pub async fn run_ended(&self, run: &str) -> Value {
        let ended =
            |detail: &Value| matches!(detail["run"]["status"].as_str(), Some("completed" | "failed" | "cancelled"));
        self.run_when(run, ended).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let (http, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = http.execute(request).await.expect("the gateway answers");
    let status = response.status();
    check_status(&method, &path, status);
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

//! Uploads: announced, put, completed, refused; and a CSV in one request.

use futures::TryStreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixture::{csv, send_csv, still};
use crate::support::Api;

async fn put(url: &Value, content_type: &str, body: String) -> reqwest::StatusCode {
    let url = url.as_str().expect("an address");
    let request = reqwest::Client::new().put(url).header("content-type", content_type.to_owned());
    request.body(body).send().await.expect("an answer").status()
}

async fn announce(api: &Api, text: &str, checksum: Option<String>) -> Value {
    let body = json!({"fileName": "My Leads (ü).csv", "sizeBytes": text.len(), "contentType": "text/csv",
        "checksum": checksum});
    let (status, upload) = api.post("/api/uploads", &body).await;
    assert_eq!(status, 201, "{upload}");
    upload
}

#[tokio::test]
async fn an_upload_is_put_verified_and_counted() {
    let system = still().await;
    let text = csv(5);
    let checksum = hex::encode(Sha256::digest(&text));
    let upload = announce(&system.api, &text, Some(checksum.clone())).await;
    assert_eq!(upload["method"], "PUT");
    let complete = format!("/api/uploads/{}/complete", upload["importId"].as_str().expect("an id"));
    assert_eq!(system.api.post(&complete, &json!({})).await.0, 409, "nothing was put yet");
    assert_eq!(put(&upload["url"], "text/plain", text.clone()).await, 403, "another type");
    assert_eq!(put(&upload["url"], "text/csv", format!("{text}more")).await, 413, "more than announced");
    assert_eq!(put(&upload["url"], "text/csv", text).await, 200);
    let (status, import) = system.api.post(&complete, &json!({})).await;
    assert_eq!(status, 200, "{import}");
    assert_eq!((&import["status"], &import["rows"]), (&json!("completed"), &json!(5)));
    assert_eq!(import["checksum"], checksum.as_str());
    let (status, again) = system.api.post(&complete, &json!({})).await;
    assert_eq!((status.as_u16(), &again["rows"]), (200, &json!(5)), "completing twice is completing once");
    let other = csv(5).replace("Firm 0", "Form 0");
    assert_eq!(put(&upload["url"], "text/csv", other).await, 409, "what was verified stays as it was");
    let key = upload["key"].as_str().expect("a key");
    let stored: Vec<bytes::Bytes> = system.storage.read_from(key, 0).try_collect().await.expect("readable");
    assert_eq!(hex::encode(Sha256::digest(stored.concat())), checksum);
    let events: i64 = sqlx::query_scalar("select count(*) from log.events where event_type = 'import:completed'")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("counted");
    assert_eq!(events, 1);
}

#[tokio::test]
async fn an_upload_that_differs_is_refused_and_deleted() {
    let system = still().await;
    let text = csv(2);
    let upload = announce(&system.api, &text, Some("0".repeat(64))).await;
    assert_eq!(put(&upload["url"], "text/csv", text).await, 200);
    let complete = format!("/api/uploads/{}/complete", upload["importId"].as_str().expect("an id"));
    let (status, problem) = system.api.post(&complete, &json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("checksum_differs")), "{problem}");
    let key = upload["key"].as_str().expect("a key");
    assert_eq!(system.storage.head(key).await.expect("looked"), None);
    let (status, _) = system.api.post(&complete, &json!({})).await;
    assert_eq!(status, 409, "refused for good");
    let (_, start) = system.api.post("/api/pipelines", &json!({"importId": upload["importId"]})).await;
    assert_eq!(start["errors"][0]["field"], "importId");
}

#[tokio::test]
async fn what_is_announced_is_checked() {
    let system = still().await;
    let body = json!({"fileName": "", "sizeBytes": 0, "contentType": "image/png", "checksum": "x"});
    let (status, problem) = system.api.post("/api/uploads", &body).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"].as_array().expect("errors").len(), 4);
}

#[tokio::test]
async fn files_that_are_no_csv_of_leads_are_refused_by_name() {
    let system = still().await;
    let long = format!("Company,Phone\nA,{}\n", "9".repeat(70_000));
    for (text, code) in [("", "empty_file"), ("Company,Phone\n", "no_rows"), ("a,b\n1,2\n", "no_known_column")] {
        let (status, problem) = send_csv(&system.api, text.to_owned()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)), "{problem}");
        assert_eq!(code == "no_known_column", problem["columns"] == json!(["a", "b"]), "{problem}");
    }
    let (_, page) = system.api.get("/api/imports").await;
    assert_eq!(page["imports"], json!([]), "nothing is left of them");
    let (status, import) = send_csv(&system.api, long).await;
    assert_eq!((status.as_u16(), &import["summary"]["malformedRows"]), (201, &json!(1)), "{import}");
    assert_eq!(import["preview"]["refusedRows"][0]["line"], 2, "a long cell refuses its row, not the file");
}

#[tokio::test]
async fn one_call_with_a_key_imports_once() {
    let system = still().await;
    let send = |text: String| {
        let request =
            system.api.request(Method::POST, "/api/imports?fileName=a.csv").header("content-type", "text/csv");
        async move {
            let response = request.header("idempotency-key", "import-1").body(text).send().await.expect("an answer");
            (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
        }
    };
    let (status, first) = send(csv(3)).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(send(csv(3)).await, (201, first.clone()));
    assert_eq!(send(csv(4)).await.0, 422, "another file under the same key");
    let (_, page) = system.api.get("/api/imports").await;
    assert_eq!(page["imports"].as_array().expect("a list").len(), 1);
    let (status, import) =
        system.api.get(&format!("/api/imports/{}", first["importId"].as_str().expect("an id"))).await;
    assert_eq!((status.as_u16(), &import["fileName"]), (200, &json!("a.csv")));
}

#[tokio::test]
async fn the_same_file_sent_at_once_under_one_key_is_one_import_and_one_object() {
    let system = still().await;
    let send = async || {
        let request = system.api.request(Method::POST, "/api/imports?fileName=once.csv");
        let request = request.header("content-type", "text/csv").header("idempotency-key", "once");
        let answer = request.body(csv(3)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["importId"].clone())
    };
    let answers = futures::future::join_all((0..8).map(|_| send())).await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 201), "{answers:?}");
    let of_tenant = system.objects.join(system.tenant.to_string());
    assert_eq!(files(&of_tenant), 1, "what came second left no file behind");
}

/// Files below a folder.
fn files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

//! Uploads: announced, put, completed, refused; and a CSV in one request.

use futures::TryStreamExt;
use luci_leads::store::old_uploads;
use luci_schema::object_key::ObjectKey;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixture::{csv, send_csv, still};
use crate::support::{Api, System};

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
    assert_eq!(stored_checksum(&system, key).await, checksum);
    let events: i64 = sqlx::query_scalar("select count(*) from log.events where event_type = 'import:completed'")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("counted");
    assert_eq!(events, 1);
}

/// The SHA-256 of a stored object.
async fn stored_checksum(system: &System, key: &str) -> String {
    let stored: Vec<bytes::Bytes> = system.storage.read_from(key, 0).try_collect().await.expect("readable");
    hex::encode(Sha256::digest(stored.concat()))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_puts_against_complete_leave_what_was_verified() {
    let system = still().await;
    let versions: Vec<String> = (0..5).map(|n| csv(20).replace("Firm", &format!("F{n}rm"))).collect();
    for round in 0..40 {
        let upload = announce(&system.api, &versions[0], None).await;
        assert_eq!(put(&upload["url"], "text/csv", versions[0].clone()).await, 200);
        let complete = format!("/api/uploads/{}/complete", upload["importId"].as_str().expect("an id"));
        let puts = futures::future::join_all(versions.iter().map(|text| put(&upload["url"], "text/csv", text.clone())));
        let body = json!({});
        let (first, second, puts) =
            tokio::join!(system.api.post(&complete, &body), system.api.post(&complete, &body), puts);
        assert!(puts.iter().all(|status| [200, 409].contains(&status.as_u16())), "{round}: {puts:?}");
        assert_eq!((first.0.as_u16(), second.0.as_u16()), (200, 200), "{round}: {first:?} {second:?}");
        assert_eq!(first.1["checksum"], second.1["checksum"], "{round}: both calls found one object");
        let key = upload["key"].as_str().expect("a key");
        assert_eq!(first.1["checksum"], stored_checksum(&system, key).await.as_str(), "{round}: replaced");
    }
}

#[tokio::test]
async fn a_put_after_complete_changes_nothing_and_its_staging_object_goes() {
    let system = still().await;
    let text = csv(5);
    let upload = announce(&system.api, &text, None).await;
    let key = upload["key"].as_str().expect("a key");
    let id: luci_schema::ImportId = upload["importId"].as_str().expect("an id").parse().expect("an id");
    let staging = ObjectKey::staging(system.tenant, id).to_string();
    assert_eq!(put(&upload["url"], "TEXT/CSV; charset=utf-8", text.clone()).await, 200, "the same media type");
    let complete = format!("/api/uploads/{id}/complete");
    let wrong = json!({"mapping": {"No Such Column": "ignore"}});
    let (status, problem) = system.api.post(&complete, &wrong).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_mapping")), "{problem}");
    let other = text.replace("Firm 0", "Form 0");
    assert_eq!(put(&upload["url"], "text/csv", other.clone()).await, 409, "the file was taken");
    let (status, import) = system.api.post(&complete, &json!({})).await;
    assert_eq!((status.as_u16(), &import["checksum"]), (200, &json!(hex::encode(Sha256::digest(&text)))), "{import}");
    assert_eq!(system.storage.head(&staging).await.expect("looked"), None, "removed");
    assert_eq!(put(&upload["url"], "text/csv", other.clone()).await, 409);
    assert_eq!(stored_checksum(&system, key).await, hex::encode(Sha256::digest(&text)));
    // A bucket takes it; the sweeper removes it when the URL has expired.
    let staged = ObjectKey::staging(system.tenant, id);
    system.storage.put(&staged, other.into(), "text/csv").await.expect("put");
    let abandoned = announce(&system.api, &text, None).await;
    assert_eq!(put(&abandoned["url"], "text/csv", text.clone()).await, 200);
    let pool = system.database.pool().await;
    let sweep = async || {
        let mut c = pool.acquire().await.expect("a connection");
        old_uploads::remove(&mut c, &system.storage).await.expect("swept")
    };
    assert_eq!(sweep().await, 0, "their URLs are still valid");
    sqlx::query("update imports set created_at = created_at - interval '26 hours'").execute(&pool).await.expect("aged");
    assert_eq!(sweep().await, 2);
    assert_eq!(sweep().await, 0, "once");
    assert_eq!(system.storage.head(&staging).await.expect("looked"), None);
    assert_eq!(stored_checksum(&system, key).await, hex::encode(Sha256::digest(&text)));
    let id = abandoned["importId"].as_str().expect("an id");
    let (_, import) = system.api.get(&format!("/api/imports/{id}")).await;
    assert_eq!((&import["status"], &import["error"]["code"]), (&json!("rejected"), &json!("upload_expired")));
    let (status, problem) = system.api.post(&format!("/api/uploads/{id}/complete"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("upload_expired")), "{problem}");
}

#[tokio::test]
async fn an_upload_that_an_earlier_version_announced_is_completed_where_it_is() {
    let system = still().await;
    let text = csv(3);
    let upload = announce(&system.api, &text, None).await;
    let key: ObjectKey = upload["key"].as_str().expect("a key").parse().expect("a key");
    sqlx::query("update imports set staged = false").execute(&system.database.pool().await).await.expect("as before");
    system.storage.put(&key, text.into(), "text/csv").await.expect("put");
    let complete = format!("/api/uploads/{}/complete", upload["importId"].as_str().expect("an id"));
    let (status, import) = system.api.post(&complete, &json!({})).await;
    assert_eq!((status.as_u16(), &import["rows"]), (200, &json!(3)), "{import}");
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
    let body = json!({"fileName": "a.csv", "sizeBytes": 1, "contentType": "text/csv; charset=\r\nx: y"});
    let (status, problem) = system.api.post("/api/uploads", &body).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("contentType")), "no header value");
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

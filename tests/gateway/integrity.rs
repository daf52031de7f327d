//! Stored objects that are not what was recorded: no download, preview, export, retry or replay answers with them, and
//! `luci storage check` names them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::fixture::{import, send_csv, whole};
use crate::support::{Api, System, output, temp_dir};

/// Cuts the last line off a stored object.
fn cut(path: &PathBuf) -> Vec<u8> {
    let whole = std::fs::read(path).expect("an object");
    let end = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("two lines") + 1;
    std::fs::write(path, &whole[..end]).expect("cut");
    whole
}

async fn artifact(api: &Api, run: &str, kind: &str) -> Value {
    let (_, page) = api.get(&format!("/api/pipelines/{run}/artifacts")).await;
    let all = page["artifacts"].as_array().expect("a list").clone();
    all.into_iter().find(|artifact| artifact["artifactType"] == kind).unwrap_or_else(|| panic!("no {kind} in {page}"))
}

fn path(system: &System, object: &Value) -> PathBuf {
    system.objects.join(object["objectPath"].as_str().expect("a path"))
}

#[track_caller]
fn refused((status, problem): (reqwest::StatusCode, Value), object: &Value) {
    assert_eq!((status.as_u16(), &problem["type"]), (409, &json!("urn:luci:problem:integrity")), "{problem}");
    assert_eq!((&problem["code"], &problem["object"]), (&json!("INTEGRITY"), &object["objectPath"]), "{problem}");
    assert_eq!(problem["expected"]["checksum"], object["checksum"]);
    assert_eq!(problem["found"]["kind"], "size", "{problem}");
}

async fn run_of(api: &Api, import: &str) -> String {
    let (status, run) = api.post("/api/pipelines", &json!({"importId": import})).await;
    assert_eq!(status, 202, "{run}");
    run["runId"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_object_is_not_answered_and_starts_no_run() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let import = import(api, 20).await;
    let run = run_of(api, &import).await;
    assert_eq!(api.run_ended(&run).await["run"]["status"], "completed");
    let enriched = artifact(api, &run, "enriched").await;
    let download = format!("/api/pipelines/{run}/artifacts/{}", enriched["artifactId"].as_str().expect("an id"));
    let (status, preview) = api.get(&format!("{download}?preview")).await;
    assert_eq!((status.as_u16(), &preview["shown"]), (200, &json!(20)), "{preview}");
    let answer = api.request(reqwest::Method::GET, &download).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "the redirect was followed");

    let before = cut(&path(&system, &enriched));
    refused(api.get(&download).await, &enriched);
    refused(api.get(&format!("{download}?preview")).await, &enriched);
    let from_stage = json!({"fromStage": "skip_trace"});
    refused(api.post(&format!("/api/pipelines/{run}/retry"), &from_stage).await, &enriched);
    let check = system_check(&system, &run).await;
    let recorded = format!("bytes, recorded {}", enriched["sizeBytes"]);
    assert!(check.contains(enriched["objectPath"].as_str().expect("text")) && check.contains(&recorded), "{check}");
    std::fs::write(path(&system, &enriched), before).expect("restored");
    let (status, again) = api.post(&format!("/api/pipelines/{run}/retry"), &from_stage).await;
    assert_eq!(status, 202, "{again}");

    let (_, file) = api.get(&format!("/api/imports/{import}")).await;
    let file = json!({"objectPath": file["key"], "checksum": file["checksum"]});
    cut(&path(&system, &file));
    refused(api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await, &file);
    refused(api.get(&format!("/api/imports/{import}?verify")).await, &file);
    let check = system_check(&system, &run).await;
    assert!(check.contains(file["objectPath"].as_str().expect("text")), "{check}");
    system.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_upload_fails_its_run_and_stores_no_lead() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let import = import(api, 20).await;
    let (_, file) = api.get(&format!("/api/imports/{import}")).await;
    let file = json!({"objectPath": file["key"]});
    let before = cut(&path(&system, &file));
    let run = run_of(api, &import).await;
    let detail = api.run_ended(&run).await;
    let error = &detail["run"]["error"];
    assert_eq!((&detail["run"]["status"], &error["code"]), (&json!("failed"), &json!("INTEGRITY")), "{detail:#}");
    assert_eq!(error["retryable"], false);
    assert!(error["message"].as_str().expect("text").contains("recorded are"), "{error}");
    let leads: i64 = sqlx::query_scalar("select count(*) from leads")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("a count");
    assert_eq!(leads, 0);
    // The file is put back: the same run goes on.
    std::fs::write(path(&system, &file), before).expect("restored");
    let (status, retried) = api.post(&format!("/api/pipelines/{run}/retry"), &json!({})).await;
    assert_eq!(status, 202, "{retried}");
    let done = |detail: &Value| detail["run"]["status"] == "completed";
    assert_eq!(api.run_when(&run, done).await["run"]["processedLeads"], 20);
    system.stop().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_leads_of_a_cut_artifact_are_not_exported() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let rows = "Company,First Name,Phone\nOne,Ann,1\nTwo,Bob,2\nThree,Cid,2125550103\n";
    let (status, import) = send_csv(api, rows.to_owned()).await;
    assert_eq!(status, 201, "{import}");
    let run = run_of(api, import["importId"].as_str().expect("an id")).await;
    api.run_ended(&run).await;
    let rejected = artifact(api, &run, "rejected").await;
    for answer in ["failed-leads", "failed-leads.csv"] {
        assert_eq!(api.get(&format!("/api/pipelines/{run}/{answer}")).await.0, 200);
    }
    cut(&path(&system, &rejected));
    for answer in ["failed-leads", "failed-leads.csv"] {
        refused(api.get(&format!("/api/pipelines/{run}/{answer}")).await, &rejected);
    }
    system.stop().await;
    sandbox.stop().await;
}

/// What `luci storage check` says, of the run and of everything; both fail.
async fn system_check(system: &System, run: &str) -> String {
    let dir = temp_dir("check");
    let store = format!("file://{}", system.objects.display());
    let mut said = String::new();
    for arguments in [vec!["storage", "check", run], vec!["storage", "check"]] {
        let variables = [
            ("LUCI_URL", system.api.url.as_str()),
            ("LUCI_API_KEY", system.api.key.as_str()),
            ("LUCI_DATABASE_URL", system.database.url()),
            ("LUCI_STORE_URL", store.as_str()),
        ];
        let ended = output(&dir, &arguments, &variables).await;
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&ended.stderr));
        assert!(text.contains(" missing or different"), "{text}");
        said.push_str(&text);
    }
    said
}

//! Commands on runs: already in effect, illegal, wrong version, roles.

use luci_runs::core::RunCommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{issue, start, still};

#[tokio::test]
async fn pause_resume_and_illegal_commands() {
    let system = still().await;
    let (run, _) = start(&system.api, 3).await;
    let at = |verb: &str| format!("/api/pipelines/{run}/{verb}");
    let (status, problem) = system.api.post(&at("pause"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["runStatus"]), (409, &json!("queued")), "{problem}");
    issue(&system, &run, RunCommand::Start).await;
    let (status, paused) = system.api.post(&at("pause"), &json!({})).await;
    assert_eq!((status.as_u16(), &paused["status"]), (202, &json!("paused")));
    let (status, again) = system.api.post(&at("pause"), &json!({})).await;
    assert_eq!((status.as_u16(), &again["position"]), (202, &paused["position"]), "nothing was appended");
    let (status, _) = system.api.post(&at("resume"), &json!({})).await;
    assert_eq!(status, 202);
    let (status, _) = system.api.delete(&format!("/api/pipelines/{run}")).await;
    assert_eq!(status, 409, "a run that has not ended is not deleted");
    let (status, _) = system.api.post(&at("cancel"), &json!({})).await;
    assert_eq!(status, 202);
    let (status, _) = system.api.post(&at("resume"), &json!({})).await;
    assert_eq!(status, 409);
    let (status, gone) = system.api.delete(&format!("/api/pipelines/{run}")).await;
    assert_eq!(status, 202, "{gone}");
}

#[tokio::test]
async fn a_deleted_run_leaves_the_list_and_keeps_its_history() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    system.api.post(&format!("/api/pipelines/{run}/cancel"), &json!({})).await;
    let (_, gone) = system.api.delete(&format!("/api/pipelines/{run}")).await;
    let position = gone["position"].as_u64().expect("a position");
    let page = super::fixture::get_at(&system.api, "/api/pipelines", position).await;
    assert_eq!(page["total"], 0);
    let detail = super::fixture::get_at(&system.api, &format!("/api/pipelines/{run}"), position).await;
    assert!(detail["run"]["deletedAt"].is_string());
    let (status, events) = system.api.get(&format!("/api/pipelines/{run}/events")).await;
    assert_eq!(status, 200);
    let types: Vec<&str> =
        events["events"].as_array().expect("events").iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!((types.first(), types.last()), (Some(&"run:queued"), Some(&"run:deleted")));
}

#[tokio::test]
async fn a_version_that_is_not_the_run_s_is_refused() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    let cancel = |version: &str| {
        system.api.request(Method::POST, &format!("/api/pipelines/{run}/cancel")).header("if-match", version.to_owned())
    };
    let refused = cancel("\"7\"").send().await.expect("an answer");
    assert_eq!(refused.status(), 412);
    let problem: Value = refused.json().await.expect("JSON");
    assert_eq!(problem["version"], 1);
    assert_eq!(cancel("\"1\"").send().await.expect("an answer").status(), 202);
}

#[tokio::test]
async fn a_command_sent_twice_with_one_key_is_carried_out_once() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    let path = format!("/api/pipelines/{run}/cancel");
    let (status, first) = system.api.post_once(&path, &json!({}), "stop").await;
    assert_eq!(status, 202);
    let (_, deleted) = system.api.delete(&format!("/api/pipelines/{run}")).await;
    assert!(deleted["position"].as_u64() > first["position"].as_u64());
    let (status, again) = system.api.post_once(&path, &json!({}), "stop").await;
    assert_eq!((status.as_u16(), again), (202, first), "answered from the receipt, though it is deleted by now");
}

#[tokio::test]
async fn roles_allow_what_they_should() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    for (role, reads, cancels, makes_keys) in
        [("viewer", 200, 403, 403), ("auditor", 200, 403, 403), ("member", 200, 403, 403), ("admin", 200, 202, 201)]
    {
        let (status, made) = system.api.post("/api/keys", &json!({"role": role, "name": role})).await;
        assert_eq!(status, 201, "{made}");
        let api = crate::support::Api::new(system.api.url.clone(), made["key"].as_str().expect("a secret"));
        assert_eq!(api.get(&format!("/api/pipelines/{run}")).await.0, reads, "{role}");
        assert_eq!(api.post(&format!("/api/pipelines/{run}/cancel"), &json!({})).await.0, cancels, "{role}");
        assert_eq!(api.post("/api/keys", &json!({"role": "viewer"})).await.0, makes_keys, "{role}");
        assert_eq!(api.post("/api/keys", &json!({"role": "owner"})).await.0, 403, "{role} makes no owner");
    }
}

#[tokio::test]
async fn a_replay_runs_the_same_input_again() {
    let system = still().await;
    let (run, _) = start(&system.api, 2).await;
    let (status, _) = system.api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    assert_eq!(status, 409, "not before it has ended");
    system.api.post(&format!("/api/pipelines/{run}/cancel"), &json!({})).await;
    let (status, again) = system.api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    assert_eq!(status, 202, "{again}");
    let (_, detail) = system.api.get(&format!("/api/pipelines/{}", again["runId"].as_str().expect("an id"))).await;
    assert_eq!(detail["run"]["replayedFromRunId"], run.as_str());
    assert_eq!((&detail["run"]["triggerType"], &detail["run"]["totalLeads"]), (&json!("replay"), &json!(2)));
}

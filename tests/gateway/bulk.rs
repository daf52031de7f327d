//! Bulk commands: each run is decided by itself, with a dry run and an idempotency key.

use serde_json::{Value, json};

use super::fixture::{import, issue, still};
use crate::support::{Api, eventually};

async fn queued(api: &Api, import: &str, runs: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..runs {
        let (status, run) = api.post("/api/pipelines", &json!({"importId": import, "allowRepeat": true})).await;
        assert_eq!(status, 202, "{run}");
        ids.push(run["runId"].as_str().expect("an id").to_owned());
    }
    ids
}

async fn bulk(api: &Api, body: Value) -> (u16, Value) {
    let (status, answer) = api.post("/api/pipelines/bulk", &body).await;
    (status.as_u16(), answer)
}

fn counts(answer: &Value) -> (u64, usize, usize, u64) {
    let list = |name: &str| answer[name].as_array().map_or(0, Vec::len);
    let count = |name: &str| answer[name].as_u64().expect("a count");
    (count("matched"), list("done"), list("refused"), count("left"))
}

/// Waits until the list shows so many.
async fn listed(api: &Api, query: &str, expected: u64) {
    eventually(&format!("{expected} runs with {query}"), async || {
        api.get(&format!("/api/pipelines?{query}")).await.1["total"] == expected
    })
    .await;
}

#[tokio::test]
async fn each_run_is_decided_by_itself_and_a_dry_run_predicts_the_result() {
    let system = still().await;
    let api = &system.api;
    let import = import(api, 2).await;
    let runs = queued(api, &import, 5).await;
    issue(&system, &runs[0], luci_runs::core::RunCommand::Start).await;
    listed(api, "status=running", 1).await;
    let all = json!({"status": ["queued", "running"]});
    let dry = json!({"action": "pause", "filter": all, "dryRun": true});
    let (status, answer) = bulk(api, dry).await;
    // One that waits for its slot cannot be paused.
    assert_eq!((status, counts(&answer)), (200, (5, 1, 4, 0)), "{answer}");
    assert_eq!(answer["done"], json!([{"runId": runs[0], "status": "paused"}]));
    let why = &answer["refused"][0]["problem"];
    assert_eq!((&why["type"], &why["status"]), (&json!("urn:luci:problem:illegal-status"), &json!(409)), "{why}");
    let (_, still) = api.get(&format!("/api/pipelines/{}", runs[0])).await;
    assert_eq!(still["run"]["status"], "running", "nothing was carried out");

    let (status, done) = bulk(api, json!({"action": "pause", "filter": all, "limit": 200})).await;
    assert_eq!((status, counts(&done)), (202, (5, 1, 4, 0)));
    let (_, two) = bulk(api, json!({"action": "cancel", "filter": {"status": ["queued"]}, "limit": 2})).await;
    assert_eq!(counts(&two), (4, 2, 0, 2));
    assert_eq!(two["done"][0]["runId"], runs[4].as_str(), "the newest first");
    let mixed = json!([runs[0], runs[4], "run_00000000000000000000000000"]);
    let (_, by_id) = bulk(api, json!({"action": "delete", "filter": {"runIds": mixed}})).await;
    assert_eq!((counts(&by_id), by_id["done"][0]["runId"].as_str()), ((3, 1, 2, 0), Some(runs[4].as_str())));
    let refused = by_id["refused"].as_array().expect("two").iter().map(|one| &one["problem"]["status"]);
    assert_eq!(refused.collect::<Vec<_>>(), [409, 404]);
}

#[tokio::test]
async fn the_same_key_does_nothing_twice_and_other_tenants_are_not_touched() {
    let system = still().await;
    let api = &system.api;
    let (_, other) = system.other_tenant("other").await;
    let ours = queued(api, &import(api, 2).await, 3).await;
    let theirs = queued(&other, &import(&other, 2).await, 1).await;
    listed(api, "status=queued", 3).await;
    let cancel = json!({"action": "cancel", "filter": {"status": ["queued"]}});
    let (status, first) = api.post_once("/api/pipelines/bulk", &cancel, "k1").await;
    assert_eq!((status.as_u16(), counts(&first)), (202, (3, 3, 0, 0)), "{first}");
    listed(api, "status=cancelled", 3).await;
    let (_, again) = api.post_once("/api/pipelines/bulk", &cancel, "k1").await;
    assert_eq!(again, first);
    let replay = json!({"action": "replay", "filter": {"runIds": [ours[0], ours[1], theirs[0]]}});
    let (_, replayed) = api.post_once("/api/pipelines/bulk", &replay, "k2").await;
    assert_eq!(counts(&replayed), (3, 2, 1, 0), "{replayed}");
    let (_, same) = api.post_once("/api/pipelines/bulk", &replay, "k2").await;
    assert_eq!(same, replayed);
    listed(api, "status=queued", 2).await;
    let new = replayed["done"][0]["newRunId"].as_str().expect("a new run");
    assert_eq!(api.get(&format!("/api/pipelines/{new}")).await.1["run"]["replayedFromRunId"], ours[0].as_str());
    assert_eq!(other.get(&format!("/api/pipelines/{}", theirs[0])).await.1["run"]["status"], "queued");
    let (_, made) = api.post("/api/keys", &json!({"name": "m", "role": "member"})).await;
    let member = Api::new(api.url.clone(), made["key"].as_str().expect("a key"));
    assert_eq!(bulk(&member, cancel).await.0, 403);
}

#[tokio::test]
async fn what_is_wrong_with_the_question_is_named() {
    let system = still().await;
    for (body, field) in [
        (json!({"action": "pause", "filter": {}}), "filter"),
        (json!({"action": "pause"}), "filter"),
        (json!({"action": "burn", "filter": {"status": ["queued"]}}), "action"),
        (json!({"action": "pause", "filter": {"status": ["hot"]}}), "filter.status"),
        (json!({"action": "pause", "filter": {"from": "yesterday"}}), "filter.from"),
        (json!({"action": "pause", "filter": {"q": "a", "dateField": "x"}}), "filter.dateField"),
        (json!({"action": "pause", "filter": {"q": "a", "sort": "x"}}), "filter.sort"),
        (json!({"action": "pause", "filter": {"q": "a"}, "limit": 201}), "limit"),
        (json!({"action": "pause", "filter": {"q": "a", "runIds": ["run_00000000000000000000000000"]}}), "filter"),
    ] {
        let (status, problem) = bulk(&system.api, body.clone()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{body}: {problem}");
    }
}

//! Starting runs: options by name, too many leads, the same key twice.

use serde_json::{Value, json};

use super::fixture::{get_at, import, start, still};

#[tokio::test]
async fn a_run_is_queued_and_seen_at_its_position() {
    let system = still().await;
    let (run, position) = start(&system.api, 3).await;
    let page = get_at(&system.api, "/api/pipelines", position).await;
    assert_eq!(page["runs"][0]["runId"], run.as_str());
    assert_eq!((&page["total"], &page["counts"]["queued"]), (&json!(1), &json!(1)));
    let detail = get_at(&system.api, &format!("/api/pipelines/{run}"), position).await;
    assert_eq!(detail["run"]["totalLeads"], 3);
    assert_eq!(detail["run"]["triggerType"], "manual");
    assert!(detail["run"]["triggeredBy"].as_str().is_some_and(|by| by.starts_with("actor:actor_")));
}

#[tokio::test]
async fn more_leads_than_allowed_are_refused_with_both_numbers() {
    let system = still().await;
    let import = import(&system.api, 12).await;
    let body = json!({"importId": import, "options": {"maxLeads": 10}});
    let (status, problem) = system.api.post("/api/pipelines", &body).await;
    assert_eq!(status, 422);
    assert_eq!((&problem["leads"], &problem["maxLeads"]), (&json!(12), &json!(10)));
    assert_eq!(problem["errors"][0]["field"], "options.maxLeads");
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let system = still().await;
    let import = import(&system.api, 1).await;
    let fields = |problem: &Value| -> Vec<String> {
        let errors = problem["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["field"].as_str().expect("a name").to_owned()).collect()
    };
    let options = json!({"importId": import, "options": {"blockSize": 0, "window": 0}});
    let cases = [
        (json!({}), vec!["importId", "sectorId"]),
        (options, vec!["options.blockSize", "options.window"]),
        (json!({"importId": import, "speed": 1}), vec!["speed"]),
        (json!({"importId": "import_00000000000000000000000000"}), vec!["importId"]),
        (json!({"importId": import, "sectorId": "sector_00000000000000000000000000"}), vec!["sectorId"]),
        (json!({"importId": import, "blueprintId": "bp_00000000000000000000000000"}), vec!["blueprintId"]),
        (json!({"importId": import, "pipelineName": ""}), vec!["pipelineName"]),
    ];
    for (body, expected) in cases {
        let (status, problem) = system.api.post("/api/pipelines", &body).await;
        assert_eq!(status, 422, "{body} {problem}");
        assert_eq!(fields(&problem), expected, "{body} {problem}");
    }
}

#[tokio::test]
async fn the_same_key_starts_one_run_and_another_body_is_refused() {
    let system = still().await;
    let import = import(&system.api, 2).await;
    let body = json!({"importId": import});
    let (status, first) = system.api.post_once("/api/pipelines", &body, "key-1").await;
    assert_eq!(status, 202);
    let (status, again) = system.api.post_once("/api/pipelines", &body, "key-1").await;
    assert_eq!((status.as_u16(), &again), (202, &first));
    let (status, other) =
        system.api.post_once("/api/pipelines", &json!({"importId": import, "pipelineName": "x"}), "key-1").await;
    assert_eq!((status.as_u16(), &other["type"]), (422, &json!("urn:luci:problem:idempotency-key-reused")));
    let page = get_at(&system.api, "/api/pipelines", first["position"].as_u64().expect("one")).await;
    assert_eq!(page["total"], 1);
}

#[tokio::test]
async fn many_at_once_with_one_key_start_one_run() {
    let system = still().await;
    let body = json!({"importId": import(&system.api, 2).await});
    let requests = (0..8).map(|_| system.api.post_once("/api/pipelines", &body, "storm"));
    let answers = futures::future::join_all(requests).await;
    for (status, answer) in &answers {
        assert_eq!(*status, 202, "{answer}");
        assert_eq!(answer["runId"], answers[0].1["runId"]);
    }
}

//! Blueprints: validation, activation of versions, the read-only system blueprint, pinning by runs.

use serde_json::{Value, json};

use super::fixture::{import, still};
use crate::support::Api;

fn stages(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "stage": name, "config": {}})).collect()
}

async fn publish(api: &Api, body: &Value) -> (u16, Value) {
    let (status, answer) = api.post("/api/blueprints", body).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_by_stage_and_field() {
    let system = still().await;
    let refused = async |stages: Value| -> Vec<String> {
        let (status, problem) = publish(&system.api, &json!({"name": "mine", "stages": stages})).await;
        assert_eq!(status, 422, "{problem}");
        let errors = problem["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    };
    assert_eq!(refused(json!([])).await, ["stages"]);
    assert_eq!(refused(stages(&["validate", "score"])).await, ["stages"]);
    assert_eq!(refused(stages(&["import", "score", "enrich", "score"])).await, ["stages[2].stage", "stages[3].stage"]);
    let mut odd = stages(&["import", "score", "push"]);
    odd[1]["config"] = json!({"scoringProfil": {}});
    odd[2]["config"] = json!({"channels": ["pigeon"]});
    odd[0]["name"] = json!("");
    assert_eq!(refused(odd).await, ["stages[0].name", "stages[1].config", "stages[2].config"]);
}

#[tokio::test]
async fn a_run_pins_the_version_that_is_active() {
    let system = still().await;
    let api = &system.api;
    let (status, first) = publish(api, &json!({"name": "mine", "stages": stages(&["import", "validate"])})).await;
    assert_eq!((status, &first["version"]), (201, &json!(1)), "{first}");
    let id = first["blueprintId"].as_str().expect("an id");
    let next = json!({"blueprintId": id, "name": "mine", "stages": stages(&["import", "score"]), "activate": false});
    assert_eq!(publish(api, &next).await.1["version"], 2);
    let import = import(api, 2).await;
    let pinned = async || -> Value {
        let (status, run) =
            api.post("/api/pipelines", &json!({"importId": import, "blueprintId": id, "allowRepeat": true})).await;
        assert_eq!(status, 202, "{run}");
        let path = format!("/api/pipelines/{}", run["runId"].as_str().expect("an id"));
        let at = run["position"].as_u64().expect("a position");
        super::fixture::get_at(api, &path, at).await["run"]["blueprintVersion"].clone()
    };
    assert_eq!(pinned().await, 1, "the second waits to be activated");
    let at = format!("/api/blueprints/{id}/activate");
    assert_eq!(api.post(&at, &json!({"version": 3})).await.0, 422);
    let (status, active) = api.post(&at, &json!({"version": 2})).await;
    assert_eq!((status.as_u16(), &active["status"]), (202, &json!("active")));
    assert_eq!(pinned().await, 2);
    let (_, versions) = api.get(&format!("/api/blueprints/{id}")).await;
    assert_eq!(
        (&versions["versions"][0]["version"], &versions["versions"][0]["activeVersion"]),
        (&json!(2), &json!(2))
    );

    assert_eq!(api.delete(&format!("/api/blueprints/{id}")).await.0, 202);
    let (status, problem) =
        api.post("/api/pipelines", &json!({"importId": import, "blueprintId": id, "allowRepeat": true})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("blueprintId")));
    let (_, list) = api.get("/api/blueprints").await;
    assert_eq!(list["blueprints"].as_array().expect("a list").len(), 1, "only the system's own is left: {list}");
    assert_eq!(api.post(&at, &json!({"version": 1})).await.0, 202, "taken out again");
    assert_eq!(pinned().await, 1);
}

#[tokio::test]
async fn the_system_blueprint_can_be_neither_changed_nor_archived() {
    let system = still().await;
    let (_, list) = system.api.get("/api/blueprints").await;
    let id = list["blueprints"][0]["blueprintId"].as_str().expect("an id").to_owned();
    let next = json!({"blueprintId": id, "name": "mine", "stages": stages(&["import"])});
    let (status, problem) = publish(&system.api, &next).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("blueprintId")), "{problem}");
    assert_eq!(system.api.delete(&format!("/api/blueprints/{id}")).await.0, 422);
    assert_eq!(system.api.post(&format!("/api/blueprints/{id}/activate"), &json!({"version": 1})).await.0, 422);
}

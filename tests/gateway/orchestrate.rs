//! The legacy orchestrator's two actions as runs: enrich a bucket, then push its result.

use serde_json::{Value, json};

use super::fixture::{send_csv, whole};
use crate::support::Api;

/// A sector with three leads that were not enriched yet.
async fn bucket(api: &Api) -> String {
    let sector = json!({"name": "Old Bucket", "legacyBucketId": "bucket-77"});
    let (status, sector) = api.post("/api/sectors", &sector).await;
    assert_eq!(status, 201, "{sector}");
    let stage = |stage: &str| json!({"name": stage, "stage": stage, "config": {}});
    let stages: Vec<Value> = ["import", "validate", "assign"].map(stage).into();
    let (_, blueprint) = api.post("/api/blueprints", &json!({"name": "fill", "stages": stages})).await;
    let rows = "Company,First Name,Last Name,Cell,Address,City,State\n\
                Firm 1,Ann,Lee,9175550001,1 Main St,New York,NY\nFirm 2,Bo,Lee,9175550002,2 Main St,New York,NY\n\
                Firm 3,Cy,Lee,9175550003,3 Main St,New York,NY\n";
    let (_, import) = send_csv(api, rows.into()).await;
    let body = json!({"importId": import["importId"], "sectorId": sector["sectorId"], "blueprintId": blueprint["blueprintId"]});
    let (_, run) = api.post("/api/pipelines", &body).await;
    assert_eq!(api.run_ended(run["runId"].as_str().expect("an id")).await["run"]["status"], "completed");
    "bucket-77".into()
}

async fn orchestrated(api: &Api, body: Value) -> Value {
    let (status, answer) = api.post("/api/luci/orchestrate", &body).await;
    assert_eq!((status.as_u16(), &answer["status"]), (202, &json!("queued")), "{answer}");
    api.run_ended(answer["runId"].as_str().expect("an id")).await
}

fn stages(detail: &Value) -> Vec<&str> {
    let stages = detail["stages"].as_array().expect("stages").iter();
    stages.map(|stage| stage["stage"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_bucket_is_enriched_and_what_came_of_it_is_pushed_once() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let bucket = bucket(api).await;
    let traced = orchestrated(api, json!({"action": "enrich", "bucketId": bucket})).await;
    assert_eq!(stages(&traced), ["import", "validate", "skip_trace", "score", "assign"]);
    let both = json!({"action": "enrich", "bucketId": "old-bucket", "enrichmentTypes": ["apollo", "skip_trace"]});
    let enriched = orchestrated(api, both).await;
    assert_eq!(stages(&enriched), ["import", "validate", "enrich", "skip_trace", "score", "assign"]);
    assert_eq!((&enriched["run"]["status"], &enriched["run"]["totalLeads"]), (&json!("completed"), &json!(3)));
    assert_eq!(api.get("/api/messages").await.1["messages"], json!([]), "nothing is pushed yet");

    let push = json!({"action": "push", "leadBlockId": enriched["run"]["runId"], "pushTo": "sms",
        "templateMessage": "Hi {name}", "agent": "sabrina", "attemptInfo": {"attemptNumber": 2, "contactMade": false}});
    let pushed = orchestrated(api, push.clone()).await;
    assert_eq!((stages(&pushed), &pushed["run"]["parentRunId"]), (vec!["import", "push"], &enriched["run"]["runId"]));
    let (_, page) = api.get("/api/messages?status=draft").await;
    let drafts = page["messages"].as_array().expect("messages");
    assert!(drafts.len() == 3 && drafts.iter().all(|one| one["body"].as_str().is_some_and(|b| b.starts_with("Hi "))));
    let (_, attempts) = api.get("/api/attempts").await;
    let first = &attempts["attempts"][0];
    let shown = ["campaignName", "agent", "attemptNumber"].map(|name| first[name].clone());
    assert_eq!(shown, [json!("LUCI-Old Bucket"), json!("sabrina"), json!(2)]);
    let again = orchestrated(api, push).await;
    assert_eq!(again["stages"][1]["metrics"]["skippedCount"], 3, "nobody is sent the same message twice");
}

#[tokio::test]
async fn what_cannot_be_is_named() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    bucket(api).await;
    let (_, runs) = api.get("/api/pipelines").await;
    let run = &runs["runs"][0]["runId"];
    let (_, other) = system.other_tenant("other").await;
    for (body, status, field) in [
        (json!({"action": "dance"}), 422, json!("action")),
        (json!({"action": "enrich"}), 422, json!("bucketId")),
        (json!({"action": "enrich", "bucketId": "nowhere"}), 422, json!("bucketId")),
        (json!({"action": "enrich", "bucketId": "bucket-77", "enrichmentTypes": ["property"]}), 422, json!("body")),
        (json!({"action": "enrich", "bucketId": "bucket-77", "enrichmentTypes": []}), 422, json!("enrichmentTypes")),
        (json!({"action": "enrich", "bucketId": "bucket-77", "maxLeads": 2}), 422, json!("options.maxLeads")),
        (json!({"action": "enrich", "bucketId": "bucket-77", "filters": {}}), 422, json!("filters")),
        (json!({"action": "push", "leadBlockId": run, "templateMessage": " "}), 422, json!("templateMessage")),
        (
            json!({"action": "push", "leadBlockId": run, "attemptInfo": {"attemptNumber": 0}}),
            422,
            json!("attemptInfo.attemptNumber"),
        ),
        (json!({"action": "push", "leadBlockId": "run_00000000000000000000000000"}), 404, Value::Null),
    ] {
        let (answered, problem) = api.post("/api/luci/orchestrate", &body).await;
        assert_eq!((answered.as_u16(), &problem["errors"][0]["field"]), (status, &field), "{body}: {problem}");
    }
    let theirs = json!({"action": "push", "leadBlockId": run});
    assert_eq!(other.post("/api/luci/orchestrate", &theirs).await.0, 404);
    let bucket = json!({"action": "enrich", "bucketId": "bucket-77"});
    assert_eq!(other.post("/api/luci/orchestrate", &bucket).await.0, 422, "another tenant's bucket");
}

//! `/api/property/bucket` with the requests that its clients recorded.

use reqwest::Method;
use serde_json::{Value, json};

use super::{count, fields, keys};
use crate::{gateway::fixture::still, support::Api};

const PATH: &str = "/api/property/bucket";

async fn put(api: &Api, body: &Value) -> (u16, Value) {
    let response = api.request(Method::PUT, PATH).json(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_bucket_of_properties_is_made_read_changed_and_hidden() {
    let system = still().await;
    let api = &system.api;
    let body = json!({"name": "Brooklyn absentee", "description": "High equity", "filters": {"state": "NY", "absentee": true},
        "propertyIds": ["p1", 2, "p3", "p1"], "signals": ["absentee"], "userId": "ignored"});
    let (status, made) = api.post_once(PATH, &body, "k").await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(api.post_once(PATH, &body, "k").await.1, made, "once");
    let new = ["importId", "key", "position"];
    let old: Vec<&str> = keys(&made).into_iter().filter(|key| !new.contains(key)).collect();
    assert_eq!(old, ["bucket", "stats", "success"]);
    let bucket = &made["bucket"];
    let shown = ["name", "description", "totalLeads", "enrichmentStatus"].map(|name| bucket[name].clone());
    assert_eq!(shown, [json!("Brooklyn absentee"), json!("High equity"), json!(3), json!("pending")]);
    assert_eq!((&bucket["filters"], &bucket["signals"]), (&body["filters"], &body["signals"]));
    assert_eq!(made["stats"], json!({"inserted": 3, "total": 3}));
    let id = bucket["id"].as_str().expect("an id").to_owned();
    let list = system.storage.get(made["key"].as_str().expect("a key")).await.expect("stored");
    assert_eq!(list.iter().filter(|byte| **byte == b'\n').count(), 3, "the list of ids is stored");
    let (_, page) = api.get(&format!("/api/leads?sectorId={id}")).await;
    assert_eq!(page["leads"].as_array().expect("leads").len(), 3);

    let more = json!({"id": id, "name": "Brooklyn", "propertyIds": ["p3", "p4"]});
    let (status, changed) = put(api, &more).await;
    assert_eq!((status, &changed["stats"]), (200, &json!({"inserted": 1, "total": 4})), "{changed}");
    assert_eq!(
        (&changed["bucket"]["name"], &changed["bucket"]["description"]),
        (&json!("Brooklyn"), &json!("High equity"))
    );
    let (_, found) = api.get(&format!("{PATH}?id={id}")).await;
    assert_eq!((&found["bucket"]["totalLeads"], &found["bucket"]["name"]), (&json!(4), &json!("Brooklyn")));
    let (_, all) = api.get(PATH).await;
    assert_eq!((&all["success"], all["buckets"].as_array().expect("buckets").len()), (&json!(true), 1));
    let (status, run) = api.post("/api/pipelines", &json!({"sectorId": id})).await;
    assert_eq!(status, 202, "a run takes the bucket: {run}");

    let (_, other) = system.other_tenant("other").await;
    assert_eq!(other.get(&format!("{PATH}?id={id}")).await.0, 404);
    assert_eq!(put(&other, &more).await.0, 404);
    assert_eq!(other.delete(&format!("{PATH}?id={id}")).await.0, 404);
    assert_eq!(other.get(PATH).await.1["buckets"], json!([]));

    let (status, gone) = api.delete(&format!("{PATH}?id={id}")).await;
    assert_eq!((status.as_u16(), &gone["success"]), (200, &json!(true)), "{gone}");
    assert_eq!(api.get(&format!("{PATH}?id={id}")).await.0, 404);
    assert_eq!(put(api, &more).await.0, 404);
    assert_eq!(api.delete(&format!("{PATH}?id={id}")).await.0, 404);
    assert_eq!(count(&system, "select count(*) from leads").await, 4, "its leads stay");
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_named_and_nothing_is_half_done() {
    let system = still().await;
    let api = &system.api;
    for (body, wrong) in [
        (json!({}), vec!["name", "propertyIds"]),
        (json!({"name": "A", "propertyIds": []}), vec!["propertyIds"]),
        (json!({"name": "", "propertyIds": ["p"]}), vec!["name"]),
        (json!({"name": 7, "filters": "x", "propertyIds": "p"}), vec!["name", "filters", "propertyIds"]),
        (json!({"name": "A", "propertyIds": [{"id": 1}]}), vec!["propertyIds"]),
    ] {
        let (status, problem) = api.post(PATH, &body).await;
        assert_eq!((status.as_u16(), fields(&problem)), (400, wrong), "{problem}");
    }
    let (status, problem) = put(api, &json!({"name": "A"})).await;
    assert_eq!((status, fields(&problem)), (400, vec!["id"]));
    assert_eq!(api.delete(PATH).await.0, 400);
    assert_eq!(api.get(&format!("{PATH}?id=b1")).await.0, 404, "what is no id is of no bucket");
    for table in ["select count(*) from property_buckets", "select count(*) from leads", "select count(*) from imports"]
    {
        assert_eq!(count(&system, table).await, 0, "{table}");
    }
    let (_, made) = api.post("/api/keys", &json!({"name": "m", "role": "member"})).await;
    let member = Api::new(api.url.clone(), made["key"].as_str().expect("a key"));
    let (status, bucket) = member.post(PATH, &json!({"name": "A", "propertyIds": ["p"]})).await;
    assert_eq!(status, 200, "{bucket}");
    let id = bucket["bucket"]["id"].as_str().expect("an id");
    assert_eq!(member.delete(&format!("{PATH}?id={id}")).await.0, 403, "as for what members may not delete elsewhere");
}

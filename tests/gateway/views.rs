//! Saved views: own and shared, replaced by name, separate by tenant and by person.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::still;
use crate::support::{Api, System};

async fn names(api: &Api) -> Vec<String> {
    let (status, page) = api.get("/api/views").await;
    assert_eq!(status, 200, "{page}");
    let views = page["views"].as_array().expect("views").iter();
    views.map(|view| view["name"].as_str().expect("a name").to_owned()).collect()
}

/// A key of this role, for a person of its own.
async fn key(system: &System, role: &str) -> Api {
    let (status, made) = system.api.post("/api/keys", &json!({"name": role, "role": role})).await;
    assert_eq!(status, 201, "{made}");
    Api::new(system.api.url.clone(), made["key"].as_str().expect("a key"))
}

async fn save(api: &Api, name: &str, query: &str, shared: bool) -> (u16, Value) {
    let body = json!({"name": name, "page": "runs", "query": query, "shared": shared});
    let (status, answer) = api.post("/api/views", &body).await;
    (status.as_u16(), answer)
}

async fn remove(api: &Api, id: &Value) -> u16 {
    let path = format!("/api/views/{}", id.as_str().expect("an id"));
    api.request(Method::DELETE, &path).send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_view_is_seen_by_its_owner_and_by_others_when_it_is_shared() {
    let system = still().await;
    let (_, other_tenant) = system.other_tenant("other").await;
    let (member, viewer) = (key(&system, "member").await, key(&system, "viewer").await);
    let (status, saved) = save(&member, "Failed today", "?status=failed&sort=cost", false).await;
    assert_eq!(status, 201, "{saved}");
    let view = &saved["view"];
    assert_eq!((&view["query"], &view["own"]), (&json!("status=failed&sort=cost"), &json!(true)));
    assert_eq!(save(&member, "Everyone's", "q=acme", true).await.0, 201);
    assert_eq!(names(&member).await, ["Everyone's", "Failed today"]);
    assert_eq!(names(&viewer).await, ["Everyone's"]);
    assert_eq!(names(&other_tenant).await, [""; 0]);

    // The same name is the same view.
    let (_, again) = save(&member, "Failed today", "status=failed", false).await;
    assert_eq!((&again["view"]["viewId"], &again["view"]["query"]), (&view["viewId"], &json!("status=failed")));

    let (_, mine) = save(&viewer, "Mine", "", false).await;
    assert_eq!(save(&viewer, "Mine", "", true).await.0, 403, "a viewer shares nothing");
    for (api, id, status) in [
        (&viewer, &view["viewId"], 404),
        (&other_tenant, &view["viewId"], 404),
        (&system.api, &mine["view"]["viewId"], 404),
        (&member, &view["viewId"], 202),
        (&member, &view["viewId"], 404),
    ] {
        assert_eq!(remove(api, id).await, status, "{id}");
    }
    let (_, page) = system.api.get("/api/views").await;
    assert_eq!(remove(&viewer, &page["views"][0]["viewId"]).await, 404, "another person's");
    assert_eq!(remove(&system.api, &page["views"][0]["viewId"]).await, 202, "an admin removes what is shared");
    assert_eq!(names(&viewer).await, ["Mine"]);
}

#[tokio::test]
async fn a_view_that_cannot_be_saved_is_refused_by_its_field() {
    let system = still().await;
    for (body, field) in [
        (json!({"name": " ", "page": "runs"}), "name"),
        (json!({"name": "x".repeat(81), "page": "runs"}), "name"),
        (json!({"name": "a\u{7}", "page": "runs"}), "name"),
        (json!({"name": "a", "page": "nowhere"}), "page"),
        (json!({"name": "a", "page": "runs", "query": "q".repeat(2_001)}), "query"),
        (json!({"name": "a", "page": "runs", "colour": "red"}), "colour"),
    ] {
        let (status, problem) = system.api.post("/api/views", &body).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem.to_string().contains(field), "{problem}");
    }
    assert_eq!(names(&system.api).await, [""; 0]);
}

//! Another tenant's ids are 404 on every route of the list.

use luci_gateway::routes::{Handler, ROUTES};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    deliveries::{Sent, deliver},
    fixture::{start, whole},
};
use crate::{
    sender::fixture::queue,
    support::{Api, System},
};

/// Ids of one tenant, by the names that route templates use.
async fn ids(api: &Api) -> Vec<(&'static str, String)> {
    let (run, _) = start(api, 3).await;
    let detail = api.run_ended(&run).await;
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let (_, events) = api.get(&format!("/api/pipelines/{run}/events")).await;
    let (_, imports) = api.get("/api/imports").await;
    let (_, keys) = api.get("/api/keys").await;
    let (_, sectors) = api.get("/api/sectors").await;
    let (_, leads) = api.get("/api/leads").await;
    let (_, blueprints) = api.get("/api/blueprints").await;
    let automation = json!({"name": "a", "trigger": {"type": "lead_created"}});
    let (_, automation) = api.post("/api/automations", &automation).await;
    vec![
        ("{runId}", run),
        ("{blockId}", text(&detail["blocks"][0]["blockId"])),
        ("{artifactId}", text(&detail["artifacts"][0]["artifactId"])),
        ("{eventId}", text(&events["events"][0]["eventId"])),
        ("{importId}", text(&imports["imports"][0]["importId"])),
        ("{automationId}", text(&automation["automationId"])),
        ("{blueprintId}", text(&blueprints["blueprints"][0]["blueprintId"])),
        ("{keyId}", text(&keys["keys"][0]["keyId"])),
        ("{sectorId}", text(&sectors["sectors"][0]["sectorId"])),
        ("{leadId}", text(&leads["leads"][0]["leadId"])),
    ]
}

async fn ids_of_sends(system: &System) -> Vec<(&'static str, String)> {
    let messages = queue(&system.running.pool, system.tenant, "import_sweep", 1).await;
    let (_, template) = system.api.post("/api/templates", &json!({"name": "Opener", "body": "Hi {name}"})).await;
    let (_, token) = system.api.post("/api/webhook-tokens", &json!({"source": "apollo"})).await;
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let unread = Sent { headers: vec![], body: "not JSON".into() };
    assert_eq!(deliver(&system.api, &text(&token["path"]), &unread).await.0, 200);
    let (_, page) = system.api.get("/api/unread-webhooks").await;
    vec![
        ("{webhookId}", text(&page["unread"][0]["webhookId"])),
        ("{messageId}", messages[0].to_string()),
        ("{templateId}", text(&template["templateId"])),
        ("{tokenId}", text(&token["tokenId"])),
    ]
}

fn filled(template: &str, ids: &[(&str, String)]) -> String {
    ids.iter().fold(template.to_owned(), |path, (name, id)| path.replace(name, id))
}

async fn request(api: &Api, method: &Method, path: &str) -> (StatusCode, Value) {
    let mut request = api.request(method.clone(), path);
    if *method == Method::POST {
        request = request.json(&json!({}));
    }
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn every_route_hides_other_tenants_data() {
    let (system, _sandbox) = whole().await;
    let mut mine = ids(&system.api).await;
    mine.extend(ids_of_sends(&system).await);
    let (_, stranger) = system.other_tenant("stranger").await;
    let absent: Vec<(&str, String)> = mine.iter().map(|(name, id)| (*name, absent(id))).collect();
    let mut swept = 0;
    for route in ROUTES.iter().filter(|route| route.template.starts_with("/api/") && route.template.contains("Id}")) {
        let (path, nowhere) = (filled(route.template, &mine), filled(route.template, &absent));
        let (status, mut problem) = request(&stranger, &route.method, &path).await;
        assert_eq!(status, 404, "{} {path}: {problem}", route.method);
        let (_, mut other) = request(&stranger, &route.method, &nowhere).await;
        problem["requestId"] = Value::Null;
        other["requestId"] = Value::Null;
        assert_eq!(problem, other, "{} {}: another's id differs from none", route.method, route.template);
        swept += 1;
    }
    assert!(swept >= 18, "only {swept} routes have ids");
    let run = &mine[0].1;
    assert_eq!(request(&stranger, &Method::GET, &format!("/api/stream?runId={run}")).await.0, 404);
    let (status, started) = stranger.post("/api/pipelines", &json!({"importId": mine[4].1})).await;
    assert_eq!((status.as_u16(), &started["errors"][0]["field"]), (422, &json!("importId")));
    let (_, page) = stranger.get("/api/pipelines").await;
    assert_eq!((&page["total"], &page["runs"]), (&json!(0), &json!([])));
    assert_eq!(stranger.get("/api/imports").await.1["imports"], json!([]));
    // And everything is still there for its owner.
    let (status, detail) = system.api.get(&format!("/api/pipelines/{run}")).await;
    assert_eq!((status.as_u16(), &detail["run"]["deletedAt"]), (200, &Value::Null));
}

/// An id of the same kind that nothing has.
fn absent(id: &str) -> String {
    let kind = id.split('_').next().expect("a prefix");
    format!("{kind}_7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
}

#[tokio::test]
async fn nothing_is_answered_without_a_key() {
    let system = super::fixture::still().await;
    for route in ROUTES.iter().filter(|route| matches!(route.handler, Handler::Authenticated(..))) {
        let path = route.template.replace(['{', '}'], "");
        let url = format!("{}{path}", system.api.url);
        let response = reqwest::Client::new().request(route.method.clone(), url).send().await.expect("an answer");
        assert_eq!(response.status(), 401, "{} {}", route.method, route.template);
        assert!(response.headers().contains_key("www-authenticate"));
    }
}

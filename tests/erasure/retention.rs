//! Retention removes what is old and not needed, says so, and leaves rows and checksums.

use luci_schema::Micros;
use luci_stages::retention;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::checks_of;
use crate::{
    gateway::fixture::{send_csv, start, whole},
    support::{Api, System},
};

const DAY_MS: i64 = 86_400_000;

/// Applies the rules as they are so many days from now.
async fn in_days(system: &System, days: i64) -> u64 {
    let log = system.running.log.clone();
    let storage = system.storage.clone().with_versions(log.pool().clone());
    let now = Micros::now().plus_millis(days * DAY_MS);
    retention::apply(&log, &storage, system.tenant, now).await.expect("applied")
}

async fn first_artifact(api: &Api, run: &str) -> Value {
    let (_, page) = api.get(&format!("/api/pipelines/{run}/artifacts?limit=100")).await;
    page["artifacts"][0].clone()
}

/// Off by default; then as the owner says.
async fn set_rules(system: &System) {
    let api = &system.api;
    let (_, rules) = api.get("/api/retention").await;
    assert_eq!((&rules["days"], &rules["suggested"]["webhooks"]), (&json!({}), &json!(90)), "off by default");
    assert_eq!(in_days(system, 10_000).await, 0, "off by default");
    for (days, field) in [(json!({"leads": 3}), "days.leads"), (json!({"imports": 0}), "days.imports")] {
        let wrong = api.request(Method::PUT, "/api/retention").json(&json!({"days": days})).send().await;
        let wrong = wrong.expect("an answer");
        assert_eq!(wrong.status(), 422);
        assert_eq!(wrong.json::<Value>().await.expect("JSON")["errors"][0]["field"], field);
    }
    let days = json!({"days": {"artifacts": 30, "imports": 365, "webhooks": 90}});
    let set = api.request(Method::PUT, "/api/retention").json(&days).send().await.expect("an answer");
    assert_eq!(set.status(), 202);
}

/// The artifact is gone, its row is not, and every check knows it.
async fn is_gone(system: &System, store: Store<'_>, run: &str, before: &Value) {
    let api = &system.api;
    let gone = first_artifact(api, run).await;
    assert!(gone["expiredAt"].is_string(), "{gone}");
    assert_eq!((&gone["checksum"], &gone["sizeBytes"]), (&before["checksum"], &before["sizeBytes"]));
    for query in ["", "?preview"] {
        let id = gone["artifactId"].as_str().expect("an id");
        let (status, problem) = api.get(&format!("/api/pipelines/{run}/artifacts/{id}{query}")).await;
        assert_eq!((status.as_u16(), &problem["type"]), (410, &json!("urn:luci:problem:expired")), "{problem}");
        assert!(problem["expiredAt"].is_string(), "{problem}");
    }
    let path = before["objectPath"].as_str().expect("a key");
    assert_eq!(system.storage.head(path).await.expect("answered"), None);
    let said = checks_of(system, store).await;
    assert!(said.contains("removed by retention") && said.contains("all match"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_unless_a_run_may_read_it() {
    let (system, _sandbox) = whole().await;
    let store = [("LUCI_STORE_URL", format!("file://{}", system.objects.display()))];
    old_objects_go(&system, &store).await;
}

/// The settings of a store.
type Store<'a> = &'a [(&'a str, String)];

/// Runs, rules and time that passes, on any store.
pub async fn old_objects_go(system: &System, store: Store<'_>) {
    let api = &system.api;
    let (done, _) = start(api, 3).await;
    assert_eq!(api.run_ended(&done).await["run"]["status"], "completed");
    // A run that waits for a person: it may read its file and artifacts for a long time.
    let (_, import) = send_csv(api, "Company,First Name,Phone\nFirm,Ann,(212) 555-0999\n".to_owned()).await;
    let (_, run) = api.post("/api/pipelines", &json!({"importId": import["importId"]})).await;
    let paused = run["runId"].as_str().expect("an id").to_owned();
    let (status, _) = api.post(&format!("/api/pipelines/{paused}/pause"), &json!({})).await;
    let waits = status == 202;

    set_rules(system).await;

    assert_eq!(in_days(system, 29).await, 0, "too young");
    let (status, would) = api.post("/api/retention/report", &json!({})).await;
    assert_eq!((status.as_u16(), &would["wouldRemove"]["artifacts"]["objects"]), (200, &json!(0)), "{would}");
    let before = first_artifact(api, &done).await;
    assert_eq!(before["expiredAt"], Value::Null);
    let removed = in_days(system, 31).await;
    assert!(removed >= 6, "{removed}");
    assert_eq!(in_days(system, 31).await, 0, "once");

    is_gone(system, store, &done, &before).await;
    // A run on a stage's output is refused with the reason; a replay reads the file, which is kept longer.
    let (status, problem) = api.post(&format!("/api/pipelines/{done}/retry"), &json!({"fromStage": "score"})).await;
    assert_eq!(status, 410, "{problem}");
    let (status, again) = api.post(&format!("/api/pipelines/{done}/replay"), &json!({})).await;
    assert_eq!(status, 202, "{again}");
    let again = again["runId"].as_str().expect("an id");
    assert_eq!(api.run_ended(again).await["run"]["status"], "completed");

    if waits {
        let kept = system.storage.clone();
        in_days(system, 400).await;
        let path = import["key"].as_str().expect("a key");
        assert!(kept.head(path).await.expect("read").is_some(), "a paused run reads its file");
        let (status, _) = api.post(&format!("/api/pipelines/{paused}/resume"), &json!({})).await;
        assert_eq!(status, 202);
        assert_eq!(api.run_ended(&paused).await["run"]["status"], "completed");
    }
    in_days(system, 400).await;
    let (status, problem) = api.post(&format!("/api/pipelines/{done}/replay"), &json!({})).await;
    assert_eq!(status, 410, "{problem}");
    let events =
        "select count(*) from log.events where event_type = 'object:expired' and data::text like '%artifacts%'";
    let pool = system.database.pool().await;
    assert!(sqlx::query_scalar::<_, i64>(events).fetch_one(&pool).await.expect("a count") >= 1);
    checks_of(system, store).await;
}

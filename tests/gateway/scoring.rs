//! Scoring profiles: published, chosen, pinned by a run, and the same scores in a replay.

use serde_json::{Value, json};

use super::fixture::{import, still, whole};
use crate::support::Api;

fn profile(points: u8) -> Value {
    json!({"name": "mine", "high": 9, "medium": 5, "factors": [
        {"name": "reachable", "points": points, "on": "email"},
        {"name": "trade", "points": 50, "on": "sic_prefix", "prefixes": ["17"]}]})
}

async fn publish(api: &Api, points: u8) {
    let (status, made) = api.post("/api/scoring-profiles", &profile(points)).await;
    assert_eq!(status, 201, "{made}");
    let (status, active) = api.post("/api/scoring-profiles/mine/activate", &json!({})).await;
    assert_eq!(status, 202, "{active}");
}

/// Waits for the end of a run; returns the output of SCORE: profile, score and breakdown of each lead.
async fn scored(api: &Api, run: &str) -> Vec<(Value, Value, Value)> {
    let detail = api.run_ended(run).await;
    assert_eq!(detail["run"]["status"], "completed", "{detail:#}");
    let (_, page) = api.get(&format!("/api/pipelines/{run}/artifacts?type=scored")).await;
    let artifact = page["artifacts"][0]["artifactId"].as_str().expect("one");
    let (_, shown) = api.get(&format!("/api/pipelines/{run}/artifacts/{artifact}?preview")).await;
    let rows = shown["rows"].as_array().expect("rows");
    let of = |row: &Value| {
        let scored = &row["scored"];
        (scored["profile"].clone(), scored["score"].clone(), scored["breakdown"].clone())
    };
    rows.iter().map(of).collect()
}

#[tokio::test]
async fn a_run_pins_the_active_profile_and_its_replay_scores_the_same() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    publish(api, 7).await;
    let import = import(api, 4).await;
    let (_, queued) = api.post("/api/pipelines", &json!({"importId": import})).await;
    let run = queued["runId"].as_str().expect("an id");
    let first = scored(api, run).await;
    let breakdown = json!([{"factor": "reachable", "points": 7}]);
    assert_eq!(first, vec![(json!("mine/1"), json!(7), breakdown.clone()); 4]);
    let (_, page) = api.get("/api/leads?minScore=7&maxScore=7").await;
    let id = page["leads"][0]["leadId"].as_str().expect("a lead");
    let (_, lead) = api.get(&format!("/api/leads/{id}")).await;
    assert_eq!((&lead["scoreProfile"], &lead["scoreBreakdown"]), (&json!("mine/1"), &breakdown));

    publish(api, 8).await;
    let (_, again) = api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    assert_eq!(scored(api, again["runId"].as_str().expect("an id")).await, first, "the profile changed since");
    let (_, fresh) = api.post("/api/pipelines", &json!({"importId": import, "allowRepeat": true})).await;
    let (profile, score, _) = scored(api, fresh["runId"].as_str().expect("an id")).await.remove(0);
    assert_eq!((profile, score), (json!("mine/2"), json!(8)));

    let (_, all) = api.get("/api/scoring-profiles").await;
    let all: Vec<_> =
        all["profiles"].as_array().expect("a list").iter().map(|p| (&p["name"], &p["version"], &p["active"])).collect();
    let is = |name, version, active| (json!(name), json!(version), json!(active));
    let all: Vec<_> = all.into_iter().map(|(a, b, c)| (a.clone(), b.clone(), c.clone())).collect();
    assert_eq!(all, [is("fit", 1, false), is("mine", 2, true), is("mine", 1, false)]);
}

#[tokio::test]
async fn a_profile_that_makes_no_sense_is_refused_by_field() {
    let system = still().await;
    let api = &system.api;
    let factor = |extra: Value| {
        let mut factor = json!({"name": "a", "points": 5, "on": "email"});
        factor.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        json!({"name": "mine", "factors": [{"name": "first", "points": 1, "on": "email"}, factor]})
    };
    for (body, field, expected) in [
        (json!({"name": "Mine!", "factors": [{"name": "a", "points": 5, "on": "email"}]}), "name", "a-z"),
        (json!({"name": "mine", "factors": []}), "factors", "1 to 100"),
        (json!({"name": "mine", "high": 10, "factors": [{"name": "a", "points": 5, "on": "email"}]}), "high", "medium"),
        (factor(json!({"on": "moon"})), "factors", "the 2nd one"),
        (factor(json!({"points": 0})), "factors", "1 to 100 points"),
        (factor(json!({"name": "first"})), "factors", "its name"),
        (factor(json!({"on": "sic_prefix", "prefixes": ["x"]})), "factors", "digits"),
        (factor(json!({"on": "revenue", "from": 9, "to": 1})), "factors", "begins below"),
    ] {
        let (status, problem) = api.post("/api/scoring-profiles", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{body} {problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(expected)), "{problem}");
    }
    assert_eq!(api.post("/api/scoring-profiles/none/activate", &json!({})).await.0, 404);
    assert_eq!(api.post("/api/scoring-profiles/fit/activate", &json!({"version": 2})).await.0, 404);
    assert_eq!(api.post("/api/scoring-profiles/fit/activate", &json!({"version": 1})).await.0, 202);

    let stages = json!([{"name": "import", "stage": "import"}, {"name": "validate", "stage": "validate"},
        {"name": "score", "stage": "score", "config": {"scoringProfile": {"name": "none"}}}]);
    let (_, blueprint) = api.post("/api/blueprints", &json!({"name": "b", "stages": stages})).await;
    let body = json!({"importId": import(api, 1).await, "blueprintId": blueprint["blueprintId"]});
    let (status, problem) = api.post("/api/pipelines", &body).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("scoringProfile")), "{problem}");
}

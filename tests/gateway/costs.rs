//! The cost of a run: the same sum at every level, limited by a budget, predicted by an estimate.

use serde_json::{Value, json};

use super::fixture::{get_at, import, whole};

fn sum(list: &Value, of: &str) -> u64 {
    list.as_array().expect("a list").iter().map(|entry| entry[of].as_u64().expect("micro-dollars")).sum()
}

#[tokio::test]
async fn a_budget_holds_a_run_back_and_every_level_says_the_same() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let import = import(api, 60).await;
    // Blocks of twenty leads that cost 2 dollars at most: two are covered, a third is not.
    let budget = 4_500_000;
    let options = json!({"blockSize": 20, "budgetMicros": budget});
    let (status, started) = api.post("/api/pipelines", &json!({"importId": import, "options": options})).await;
    assert_eq!(status, 202, "{started}");
    let run = started["runId"].as_str().expect("an id");
    let held = api.run_when(run, |detail| detail["run"]["status"] == "paused").await;
    let (waits, spent) = (&held["run"]["waitingFor"], held["run"]["costMicros"].as_u64().expect("a cost"));
    assert_eq!((&waits["reason"], &waits["because"]), (&json!("paused"), &json!("budget")));
    assert_eq!(waits["missingMicros"], spent + 2_000_000 - budget);
    assert!(spent > 0 && spent <= budget, "{spent}");
    let resume = format!("/api/pipelines/{run}/resume");
    let (status, problem) = api.post(&resume, &json!({})).await;
    assert_eq!((status.as_u16(), &problem["missingMicros"]), (409, &waits["missingMicros"]), "{problem}");
    let (status, _) = api.post(&resume, &json!({"budgetMicros": 8_000_000})).await;
    assert_eq!(status, 202);
    let ended = api.run_ended(run).await;
    assert_eq!((&ended["run"]["status"], &ended["run"]["budgetMicros"]), (&json!("completed"), &json!(8_000_000)));

    let total = ended["run"]["costMicros"].as_u64().expect("a cost");
    assert_eq!(total, sandbox.ledger().billed * 100_000, "what the provider bills");
    assert_eq!(sum(&ended["stages"], "costMicros"), total);
    assert_eq!(sum(&api.get(&format!("/api/pipelines/{run}/blocks")).await.1["blocks"], "costMicros"), total);
    assert_eq!(api.get(&format!("/api/pipelines/{run}/metrics")).await.1["totalCostMicros"], total);
    let costs = get_at(api, "/api/costs", ended["run"]["position"].as_u64().expect("a position")).await;
    assert_eq!((&costs["costMicros"], &costs["stages"]), (&json!(total), &json!({"enrich": total})));
    let ledger: i64 = sqlx::query_scalar("select sum(cost_micros + paid_again_micros)::bigint from provider_results")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("the ledger");
    assert_eq!(ledger.unsigned_abs(), total);
}

#[tokio::test]
async fn a_replay_finds_what_was_paid_for_and_costs_nothing() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let (run, _) = super::fixture::start(api, 30).await;
    let first = api.run_ended(&run).await;
    let (status, again) = api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    assert_eq!(status, 202, "{again}");
    let again = api.run_ended(again["runId"].as_str().expect("an id")).await;
    assert_eq!((&again["run"]["status"], &again["run"]["costMicros"]), (&json!("completed"), &json!(0)));
    assert_eq!(sandbox.ledger().billed * 100_000, first["run"]["costMicros"].as_u64().expect("a cost"));
}

#[tokio::test]
async fn an_estimate_starts_nothing_and_learns_from_earlier_runs() {
    let (system, sandbox) = whole().await;
    let api = &system.api;
    let import = import(api, 40).await;
    let estimate = async || -> Value {
        let (status, estimate) = api.post("/api/pipelines/estimate", &json!({"importId": import})).await;
        assert_eq!(status, 200, "{estimate}");
        estimate
    };
    let without_history = estimate().await;
    assert_eq!((&without_history["leads"], &without_history["basis"]["runs"]), (&json!(40), &json!(0)));
    // Two stages that may find every lead, at ten cents each.
    assert_eq!(without_history["cost"]["mostMicros"], 8_000_000);
    assert_eq!(api.get("/api/pipelines").await.1["total"], 0);
    let (_, run) = api.post("/api/pipelines", &json!({"importId": import})).await;
    let ended = api.run_ended(run["runId"].as_str().expect("an id")).await;
    let with_history = estimate().await;
    let cost = &ended["run"]["costMicros"];
    assert_eq!(
        (&with_history["basis"]["runs"], &with_history["cost"]["lowMicros"], &with_history["cost"]["highMicros"]),
        (&json!(1), cost, cost)
    );
    assert!(sandbox.ledger().billed > 0);
}

//! Runs whose answers come by webhook: counts, costs, permits, and commands while a block waits.

use luci_providers::ProvidersConfig;
use serde_json::{Value, json};

use super::fixture::{BATCHES, PRICE, calls, fixture, held, matches, metric, paid, post_all, sandbox, start, traced};
use crate::support::{SystemOptions, system_with};

fn sum(list: &Value, of: &str) -> u64 {
    list.as_array().expect("a list").iter().map(|entry| entry[of].as_u64().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_posted_and_counts_and_costs_agree_at_every_level() {
    let (system, sandbox) = fixture().await;
    let api = &system.api;
    // Two batches, and five leads in no batch.
    let run = start(api, 65, 30, json!({"mode": "webhook"})).await;
    let ended = api.run_ended(&run).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    let made = [BATCHES, "/v1/SkipTraceBatchAwait", "/v1/SkipTrace"].map(|path| calls(&sandbox, path));
    assert_eq!(made, [2, 0, 5]);
    let ledger = sandbox.ledger();
    assert_eq!((ledger.asked, ledger.asked_twice()), (65, vec![]));
    assert_eq!(metric(&ended, "successCount"), ledger.billed);
    assert_eq!(metric(&ended, "successCount") + metric(&ended, "noMatchCount"), 65);
    let total = ledger.billed * PRICE;
    assert!(total > 0);
    assert_eq!(ended["run"]["costMicros"], json!(total));
    assert_eq!(sum(&ended["stages"], "costMicros"), total);
    assert_eq!(sum(&api.get(&format!("/api/pipelines/{run}/blocks")).await.1["blocks"], "costMicros"), total);
    assert_eq!(api.get("/api/costs").await.1["costMicros"], json!(total));
    assert_eq!(paid(&system).await, (total, 0));
    for block in traced(&ended) {
        assert_eq!((&block["attempt"], &block["provider"]), (&json!(1), &json!("realestate")), "{block}");
    }
    // Each item and each completion is a webhook delivery.
    let pool = system.database.pool().await;
    let taken: i64 = sqlx::query_scalar("select count(*) from webhook_events where purpose like 'block:%'")
        .fetch_one(&pool)
        .await
        .expect("deliveries");
    assert_eq!(taken, 62);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_block_holds_no_permit_and_its_run_says_until_when() {
    let (system, sandbox) = fixture().await;
    let api = &system.api;
    sandbox.hold_posts();
    let run = start(api, 40, 20, json!({"mode": "webhook"})).await;
    // There is one permit, and both blocks have submitted.
    let posts = held(&sandbox, 42).await;
    let waits = |detail: &Value| detail["run"]["waitingFor"]["reason"] == "provider";
    let waiting = api.run_when(&run, waits).await["run"]["waitingFor"].clone();
    assert_eq!((&waiting["provider"], &waiting["stage"]), (&json!("realestate"), &json!("skip_trace")));
    let until = waiting["until"].as_str().expect("a deadline");
    assert!(until > waiting["since"].as_str().expect("a time"), "{waiting}");
    assert_eq!(api.get("/api/pipelines").await.1["runs"][0]["waitingFor"], waiting);

    // During a pause begun blocks finish; posted answers are accepted.
    let (status, _) = api.post(&format!("/api/pipelines/{run}/pause"), &json!({})).await;
    assert_eq!(status, 202);
    assert_eq!(post_all(&sandbox, &posts).await, 42);
    assert_eq!(post_all(&sandbox, &posts).await, 0, "a second delivery changes nothing");
    let both = |detail: &Value| traced(detail).iter().all(|block| block["status"] == "completed");
    let paused = api.run_when(&run, both).await;
    assert_eq!(paused["run"]["waitingFor"]["reason"], "paused", "{paused:#}");
    let (status, _) = api.post(&format!("/api/pipelines/{run}/resume"), &json!({})).await;
    assert_eq!(status, 202);
    let ended = api.run_ended(&run).await;
    assert_eq!((&ended["run"]["status"], &ended["run"]["waitingFor"]), (&json!("completed"), &Value::Null));
    assert_eq!(ended["run"]["costMicros"], json!(matches(&posts) * PRICE));
    assert_eq!(paid(&system).await, (matches(&posts) * PRICE, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_keeps_what_was_answered_and_a_replay_waits_for_the_rest() {
    let (system, sandbox) = fixture().await;
    let api = &system.api;
    sandbox.hold_posts();
    let run = start(api, 20, 20, json!({"mode": "webhook"})).await;
    let posts = held(&sandbox, 21).await;
    post_all(&sandbox, &posts[..5]).await;
    let (status, _) = api.post(&format!("/api/pipelines/{run}/cancel"), &json!({})).await;
    assert_eq!(status, 202);
    let closed = |detail: &Value| traced(detail).iter().all(|block| block["status"] == "cancelled");
    let cancelled = api.run_when(&run, closed).await;
    assert_eq!(cancelled["run"]["costMicros"], json!(matches(&posts[..5]) * PRICE), "{cancelled:#}");

    let (status, again) = api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    assert_eq!(status, 202, "{again}");
    let again = again["runId"].as_str().expect("an id");
    let begun = |detail: &Value| traced(detail).iter().any(|block| block["status"] == "running");
    api.run_when(again, begun).await;
    post_all(&sandbox, &posts[5..]).await;
    let ended = api.run_ended(again).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    assert_eq!(metric(&ended, "successCount") + metric(&ended, "noMatchCount"), 20);
    assert_eq!(ended["run"]["costMicros"], json!(matches(&posts[5..]) * PRICE));
    assert_eq!((calls(&sandbox, BATCHES), sandbox.ledger().asked_twice()), (1, vec![]), "nobody was handed over again");
    assert_eq!(paid(&system).await, (matches(&posts) * PRICE, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn submitted_batches_count_against_limits() {
    let sandbox = sandbox().await;
    let mut providers = ProvidersConfig::all_at(&sandbox.url(), sandbox.key());
    providers.max_quota_wait = std::time::Duration::ZERO;
    providers.sites.values_mut().for_each(|site| site.limits.tenant_per_day = Some(30));
    let system = system_with(SystemOptions { providers, ..SystemOptions::default() }).await;
    let run = start(&system.api, 50, 50, json!({"mode": "webhook"})).await;
    let budget = |detail: &Value| detail["run"]["waitingFor"]["reason"] == "provider_budget";
    let waiting = system.api.run_when(&run, budget).await;
    let ledger = sandbox.ledger();
    assert_eq!((ledger.asked, calls(&sandbox, BATCHES)), (30, 1));
    assert_eq!(waiting["run"]["costMicros"], json!(ledger.billed * PRICE));
    assert_eq!(traced(&waiting)[0]["error"]["code"], "RATE_LIMIT");
}

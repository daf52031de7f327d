//! Late and missing answers: the deadline, what a retry uses, what is paid once and what twice.

use luci_sandbox::Fault;
use serde_json::{Value, json};

use super::fixture::{BATCHES, PRICE, calls, fixture, held, matches, metric, paid, post_all, start, traced};

#[tokio::test(flavor = "multi_thread")]
async fn a_block_fails_at_its_deadline_and_the_retry_requests_the_missing_answers() {
    let (system, sandbox) = fixture().await;
    let api = &system.api;
    sandbox.hold_posts();
    let run = start(api, 25, 25, json!({"mode": "webhook", "deadlineSeconds": 3})).await;
    let posts = held(&sandbox, 26).await;
    let (early, rest) = posts.split_at(5);
    let (late, lost) = rest.split_at(8);
    post_all(&sandbox, early).await;
    // A paused run lets the block end and starts no retry, so that late answers come before it.
    let (status, _) = api.post(&format!("/api/pipelines/{run}/pause"), &json!({})).await;
    assert_eq!(status, 202);
    let failed = |detail: &Value| traced(detail).iter().any(|block| block["status"] == "failed");
    let failed = api.run_when(&run, failed).await;
    let block = traced(&failed)[0];
    assert_eq!((&block["error"]["code"], &block["error"]["retryable"]), (&json!("TIMEOUT"), &json!(true)), "{block}");
    assert_eq!(block["metrics"]["failedCount"], 20);
    assert_eq!(block["costMicros"], json!(matches(early) * PRICE));
    post_all(&sandbox, late).await;
    assert_eq!(calls(&sandbox, BATCHES), 1);

    let (status, _) = api.post(&format!("/api/pipelines/{run}/resume"), &json!({})).await;
    assert_eq!(status, 202);
    let again = held(&sandbox, 13).await;
    let keys = |posts: &[luci_sandbox::Post]| {
        let mut keys: Vec<String> =
            posts.iter().filter_map(|post| Some(post.body.get("key")?.as_str()?.to_owned())).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&again), keys(lost), "those that nobody had answered, and no other");
    post_all(&sandbox, &again).await;
    let ended = api.run_ended(&run).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    assert_eq!(metric(&ended, "successCount") + metric(&ended, "noMatchCount"), 25);
    // Late answers are counted by the retry that used them: every lead is paid for once.
    let total = matches(&posts) * PRICE;
    assert_eq!(ended["run"]["costMicros"], json!(total));
    assert_eq!(paid(&system).await, (total, 0));
    // Late answers of the first batch were paid twice, and change nothing else.
    post_all(&sandbox, lost).await;
    assert_eq!(paid(&system).await, (total, matches(lost) * PRICE));
    assert_eq!(api.get(&format!("/api/pipelines/{run}")).await.1["run"]["costMicros"], json!(total));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_the_completion_leaves_out_are_failed_leads_of_a_completed_block() {
    let (system, sandbox) = fixture().await;
    sandbox.fault_next(Fault::Without(3), 1);
    let run = start(&system.api, 20, 20, json!({"mode": "webhook"})).await;
    let ended = system.api.run_ended(&run).await;
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    assert_eq!((metric(&ended, "failedCount"), metric(&ended, "inputCount")), (3, 20));
    assert_eq!(metric(&ended, "successCount") + metric(&ended, "noMatchCount"), 17);
    let (_, failed) = system.api.get(&format!("/api/pipelines/{run}/failed-leads?summary")).await;
    assert!(failed.to_string().contains("missing_answer"), "{failed}");
    let succeeded = metric(&ended, "successCount");
    assert_eq!(ended["run"]["costMicros"], json!(succeeded * PRICE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_says_why_there_is_no_answer_fails_its_lead() {
    let (system, sandbox) = fixture().await;
    sandbox.hold_posts();
    let run = start(&system.api, 12, 12, json!({"mode": "webhook"})).await;
    let mut posts = held(&sandbox, 13).await;
    posts[0].body["error"] = json!("internal");
    posts[0].body["statusCode"] = json!(500);
    // An item of a lead that was never submitted is ignored.
    let mut stranger = posts[1].clone();
    stranger.body["key"] = json!(luci_schema::LeadId::generate());
    post_all(&sandbox, &[stranger]).await;
    post_all(&sandbox, &posts).await;
    let ended = system.api.run_ended(&run).await;
    assert_eq!((metric(&ended, "failedCount"), metric(&ended, "inputCount")), (1, 12));
    assert_eq!(ended["run"]["costMicros"], json!(matches(&posts[1..]) * PRICE));
    assert_eq!(paid(&system).await, (matches(&posts[1..]) * PRICE, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_forgotten_a_month_after_its_deadline_and_its_answers_stay() {
    let (system, _sandbox) = fixture().await;
    let run = start(&system.api, 20, 20, json!({"mode": "webhook"})).await;
    assert_eq!(system.api.run_ended(&run).await["run"]["status"], "completed");
    let pool = system.database.pool().await;
    let mut c = pool.acquire().await.expect("a connection");
    let count = async |c: &mut sqlx::PgConnection, table: &str| -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql).fetch_one(c).await.expect("a count")
    };
    let answers = count(&mut c, "provider_results where stage = 'skip_trace'").await;
    assert!(answers > 0);
    for (age, left) in [("29 days", 20), ("31 days", 0)] {
        let aged = sqlx::AssertSqlSafe(format!("update trace_batches set deadline = now() - interval '{age}'"));
        sqlx::query(aged).execute(&mut *c).await.expect("aged");
        luci_providers::delete_old_traces(&mut c).await.expect("forgotten");
        assert_eq!(count(&mut c, "trace_leads").await, left, "{age}");
    }
    assert_eq!(count(&mut c, "provider_results where stage = 'skip_trace'").await, answers);
}

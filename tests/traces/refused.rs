//! Submissions that are refused, lost or limited; unknown callback addresses; invalid settings.

use luci_sandbox::Fault;
use serde_json::{Value, json};

use super::fixture::{BATCHES, PRICE, calls, fixture, held, paid, post_all, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_submitted_once_however_the_call_ends() {
    for (fault, batches, awaited) in [
        // Accepted, but the answer was lost.
        (Fault::Lost, 1, 0),
        // A refusal that is transient.
        (Fault::Unavailable, 2, 0),
        // Refused as a whole: the leads are looked up without a batch.
        (Fault::Refused, 1, 1),
    ] {
        let (system, sandbox) = fixture().await;
        sandbox.fault_next(fault, 1);
        let run = start(&system.api, 20, 20, json!({"mode": "webhook"})).await;
        let ended = system.api.run_ended(&run).await;
        assert_eq!(ended["run"]["status"], "completed", "{fault:?} {ended:#}");
        let made = [BATCHES, "/v1/SkipTraceBatchAwait"].map(|path| calls(&sandbox, path));
        assert_eq!(made, [batches, awaited], "{fault:?}");
        let ledger = sandbox.ledger();
        assert_eq!((ledger.asked, ledger.asked_twice()), (20, vec![]), "{fault:?}");
        assert_eq!(ended["run"]["costMicros"], json!(ledger.billed * PRICE), "{fault:?}");
        assert_eq!(paid(&system).await, (ledger.billed * PRICE, 0), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_credits_fails_the_block_and_submits_nothing() {
    let (system, sandbox) = fixture().await;
    sandbox.fault_next(Fault::NoCredits, 1);
    let run = start(&system.api, 20, 20, json!({"mode": "webhook"})).await;
    let ended = system.api.run_ended(&run).await;
    assert_eq!((&ended["run"]["status"], &ended["run"]["error"]["code"]), (&json!("failed"), &json!("AUTH")));
    let left: i64 = sqlx::query_scalar("select count(*) from trace_leads")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("rows");
    assert_eq!(left, 0, "a certain no takes the batch back");
    let (status, body) = system.api.post(&format!("/api/pipelines/{run}/retry"), &json!({})).await;
    assert_eq!(status, 202, "{body}");
    let completed = |detail: &Value| detail["run"]["status"] == "completed";
    system.api.run_when(&run, completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_batch_s_own_address_and_the_account_s_own_key_answer() {
    let (system, sandbox) = fixture().await;
    sandbox.hold_posts();
    let run = start(&system.api, 10, 10, json!({"mode": "webhook"})).await;
    let posts = held(&sandbox, 11).await;
    let (address, token) = posts[0].url.rsplit_once('/').expect("an address");
    assert!(address.ends_with("/api/webhooks/realestate") && token.len() > 40, "{}", posts[0].url);
    let http = reqwest::Client::new();
    let answered = async |url: String, key: &str| {
        let sent = http.post(url).header("x-api-key", key).json(&posts[0].body).send().await;
        sent.expect("an answer").status().as_u16()
    };
    let key = sandbox.key();
    assert_eq!(answered(format!("{address}/{token}x"), key).await, 404);
    assert_eq!(answered(posts[0].url.replace("/realestate/", "/tracerfy/"), key).await, 404);
    assert_eq!(answered(posts[0].url.clone(), "another key").await, 403);
    assert_eq!(answered(posts[0].url.clone(), "").await, 403);
    // At another tenant's address the item is a delivery that answers no block.
    let (_, other) = system.other_tenant("other").await;
    let made = json!({"source": "realestate", "signingSecret": key});
    let (status, theirs) = other.post("/api/webhook-tokens", &made).await;
    assert_eq!(status, 201, "{theirs}");
    let theirs = format!("{}{}", system.api.url, theirs["path"].as_str().expect("a path"));
    assert_eq!(answered(theirs, key).await, 200);
    assert_eq!(paid(&system).await, (0, 0));
    assert_eq!(other.get(&format!("/api/pipelines/{run}")).await.0, 404);
    // The callbacks of an inactive tenant answer no block.
    let status = async |text: &str| {
        let sql = "update tenants set status = $2 where id = $1";
        let pool = system.database.pool().await;
        sqlx::query(sql).bind(system.tenant).bind(text).execute(&pool).await.expect("changed");
    };
    status("suspended").await;
    assert_eq!(answered(posts[0].url.clone(), key).await, 404);
    status("active").await;
    assert_eq!(post_all(&sandbox, &posts).await, 11);
    assert_eq!(system.api.run_ended(&run).await["run"]["status"], "completed");
}

#[tokio::test]
async fn invalid_settings_are_refused_when_they_are_published() {
    let system = crate::gateway::fixture::still().await;
    for (config, text) in [
        (json!({"mode": "post"}), "webhook"),
        (json!({"mode": "webhook", "provider": "tracerfy"}), "tracerfy"),
        (json!({"mode": "webhook", "deadlineSeconds": 0}), "deadlineSeconds"),
        (json!({"mode": "webhook", "deadlineSeconds": 86_401}), "deadlineSeconds"),
        (json!({"deadlineSeconds": 60}), "deadlineSeconds"),
    ] {
        let stage = |name: &str, config: Value| json!({"name": name, "stage": name, "config": config});
        let stages = [stage("import", json!({})), stage("skip_trace", config.clone())];
        let (status, problem) = system.api.post("/api/blueprints", &json!({"name": "x", "stages": stages})).await;
        assert_eq!(status, 422, "{config}");
        let error = &problem["errors"][0];
        assert_eq!(error["field"], "stages[1].config", "{problem}");
        assert!(error.to_string().contains(text), "{config}: {error}");
    }
}

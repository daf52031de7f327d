//! The broker stopped, wiped and started again in the middle of a run.

use std::time::Duration;

use luci::sandbox::SandboxOptions;
use reqwest::StatusCode;
use serde_json::json;

use super::{evidence, ground::ground};

const LEADS: u64 = 2_000;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_broker_luci_takes_commands_and_with_a_new_one_the_run_completes() {
    let mut ground = ground(SandboxOptions { delay: Duration::from_millis(20), ..SandboxOptions::default() }).await;
    let run = ground.start_run(LEADS, 100).await;
    let begun = |detail: &serde_json::Value| detail["run"]["progress"].as_u64() > Some(5);
    ground.luci.api().run_when(&run, begun).await;

    ground.nats.wipe().await;
    let api = ground.luci.api();
    let (status, answer) = api.post(&format!("/api/pipelines/{run}/pause"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (status, answer) = api.post(&format!("/api/pipelines/{run}/resume"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (status, health) = api.get("/healthz").await;
    assert_eq!(status, StatusCode::OK, "{health}");

    ground.nats.restart().await;
    evidence::came_through(&ground, &run, LEADS).await;
    // A block that the new broker delivers again waits for its older delivery, which is still worked on: each person that
    // was paid for is one answer. (Two rows of a name and a company are two leads, and two answers.)
    let found = "select count(*) from provider_results where outcome::text <> 'null'";
    let found: i64 = sqlx::query_scalar(found).fetch_one(&ground.database.pool().await).await.expect("a count");
    assert_eq!(ground.sandbox.ledger().billed, found.unsigned_abs());
}

//! The broker is stopped, wiped and restarted during a run.

use std::time::Duration;

use luci_sandbox::SandboxOptions;
use reqwest::StatusCode;
use serde_json::json;

use super::{evidence, fixture::fixture};

const LEADS: u64 = 2_000;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_broker_luci_takes_commands_and_with_a_new_one_the_run_completes() {
    let mut fixture = fixture(SandboxOptions { delay: Duration::from_millis(20), ..SandboxOptions::default() }).await;
    let run = fixture.start_run(LEADS, 100).await;
    let begun = |detail: &serde_json::Value| detail["run"]["progress"].as_u64() > Some(5);
    fixture.luci.api().run_when(&run, begun).await;

    fixture.nats.wipe().await;
    let api = fixture.luci.api();
    let (status, answer) = api.post(&format!("/api/pipelines/{run}/pause"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (status, answer) = api.post(&format!("/api/pipelines/{run}/resume"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (status, health) = api.get("/healthz").await;
    assert_eq!(status, StatusCode::OK, "{health}");

    fixture.nats.restart().await;
    evidence::came_through(&fixture, &run, LEADS).await;
    // A block that the new broker delivers again waits for its older delivery, which is still worked on: each person that
    // was paid for is one answer. (Two rows of a name and a company are two leads, and two answers.)
    let found = "select count(*) from provider_results where outcome::text <> 'null'";
    let found: i64 = sqlx::query_scalar(found).fetch_one(&fixture.database.pool().await).await.expect("a count");
    assert_eq!(fixture.sandbox.ledger().billed, found.unsigned_abs());
}

//! A store that vanishes: it is named at once, blocks wait for it, and it is never recreated.

use std::path::PathBuf;

use luci_sandbox::SandboxOptions;
use serde_json::Value;

use super::fixture::{Fixture, fixture};
use crate::support::output;

const LEADS: u64 = 400;

/// Where the store stands while it is unavailable.
fn away(fixture: &Fixture) -> PathBuf {
    fixture.luci.data_dir.join("objects.away")
}

fn objects(fixture: &Fixture) -> PathBuf {
    fixture.luci.data_dir.join("objects")
}

async fn readiness(fixture: &Fixture) -> (u16, Value) {
    let (status, body) = fixture.luci.api().get("/readyz").await;
    (status.as_u16(), body["store"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_vanishes_is_named_and_waited_for() {
    let mut fixture =
        fixture(SandboxOptions { delay: std::time::Duration::from_millis(30), ..SandboxOptions::default() }).await;
    assert_eq!(readiness(&fixture).await, (200, "up".into()));
    let run = fixture.start_run(LEADS, 50).await;
    fixture.luci.api().run_when(&run, |detail| detail["run"]["progress"].as_u64() > Some(0)).await;
    std::fs::rename(objects(&fixture), away(&fixture)).expect("moved away");
    let waits = |detail: &Value| {
        detail["run"]["waitingFor"]["reason"] == "store" && detail["run"]["waitingFor"]["state"] == "missing"
    };
    fixture.luci.api().run_when(&run, waits).await;
    assert_eq!(readiness(&fixture).await, (503, "missing".into()));
    let (status, problem) = fixture.luci.api().get(&artifact_of(&fixture, &run).await).await;
    assert_eq!((status.as_u16(), &problem["store"]), (503, &"missing".into()), "{problem}");
    assert!(!objects(&fixture).exists(), "it was recreated");
    std::fs::rename(away(&fixture), objects(&fixture)).expect("back");
    let ended = fixture.luci.api().run_ended(&run).await;
    assert_eq!((&ended["run"]["status"], &ended["run"]["processedLeads"]), (&"completed".into(), &LEADS.into()));
    assert_eq!(readiness(&fixture).await, (200, "up".into()));

    // A start finds the store gone, or another one in its place.
    fixture.luci.kill().await;
    std::fs::rename(objects(&fixture), away(&fixture)).expect("moved away");
    let refused = up(&fixture).await;
    assert!(refused.contains("its marker luci-store.json is missing, but the database has objects in it"), "{refused}");
    assert!(!objects(&fixture).exists(), "it was recreated");
    std::fs::create_dir_all(objects(&fixture)).expect("a folder");
    std::fs::write(objects(&fixture).join("luci-store.json"), r#"{"storeId":"another"}"#).expect("written");
    let refused = up(&fixture).await;
    assert!(refused.contains("has id another, the database belongs to store"), "{refused}");
    std::fs::remove_dir_all(objects(&fixture)).expect("removed");
    std::fs::rename(away(&fixture), objects(&fixture)).expect("back");
    fixture.luci.start().await;
    assert_eq!(readiness(&fixture).await, (200, "up".into()));
}

/// The path of one of the run's artifacts in the API.
async fn artifact_of(fixture: &Fixture, run: &str) -> String {
    let (_, page) = fixture.luci.api().get(&format!("/api/pipelines/{run}/artifacts")).await;
    let id = page["artifacts"][0]["artifactId"].as_str().expect("an artifact").to_owned();
    format!("/api/pipelines/{run}/artifacts/{id}")
}

/// The errors of a start that is refused.
async fn up(fixture: &Fixture) -> String {
    let servers = [("LUCI_DATABASE_URL", fixture.database.url()), ("LUCI_NATS_URL", fixture.nats.url())];
    let ended = output(&fixture.luci.data_dir, &["up", "--listen", "127.0.0.1:0"], &servers).await;
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

//! A tenant with a backlog and one with a few leads: the order of their starts, read from the log.

use luci_schema::{BlockEvent, Event, Micros, Position, TenantId, log::Log};
use serde_json::json;

use super::fixture::{import, whole};
use crate::support::Api;

/// Runs of a tenant that are active at once, and blocks of a run that are queued or running at once, by default.
const ACTIVE_RUNS: usize = 4;
const WINDOW: usize = 8;

async fn start(api: &Api, rows: usize) -> String {
    let import = import(api, rows).await;
    let body = json!({ "importId": import, "allowRepeat": true, "options": { "blockSize": 10 } });
    let (status, answer) = api.post("/api/pipelines", &body).await;
    assert_eq!(status, 202, "{answer}");
    answer["runId"].as_str().expect("an id").to_owned()
}

/// The tenant of each block, in the order of their starts.
async fn starts(log: &Log) -> Vec<(Micros, TenantId)> {
    let (mut starts, mut at) = (Vec::new(), Position(0));
    loop {
        let events = log.read(at, 1_000).await.expect("the log");
        let Some(last) = events.last() else { break };
        at = last.position;
        starts.extend(events.iter().filter_map(|recorded| match &recorded.event {
            Event::Block(BlockEvent::Completed(block)) => Some((block.started_at_micros, recorded.tenant_id)),
            Event::Block(BlockEvent::Failed(block)) => Some((block.started_at_micros, recorded.tenant_id)),
            _ => None,
        }));
    }
    starts.sort_unstable();
    starts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_two_starts_of_a_small_tenant_a_large_one_has_at_most_its_windows() {
    let (system, _sandbox) = whole().await;
    let (small, small_api) = system.other_tenant("small").await;
    let mut backlog = Vec::new();
    for _ in 0..ACTIVE_RUNS + 2 {
        backlog.push(start(&system.api, 2_000).await);
    }
    let begun = |detail: &serde_json::Value| detail["run"]["progress"].as_u64() > Some(1);
    system.api.run_when(&backlog[0], begun).await;

    let run = start(&small_api, 100).await;
    let detail = small_api.run_ended(&run).await;
    assert_eq!(detail["run"]["status"], "completed", "{:#}", detail["run"]);
    let (_, last) = system.api.get(&format!("/api/pipelines/{}", backlog[ACTIVE_RUNS + 1])).await;
    assert_eq!(last["run"]["status"], "queued", "the backlog was still there");

    let starts = starts(&system.running.log).await;
    let own: Vec<usize> = (0..starts.len()).filter(|at| starts[*at].1 == small).collect();
    assert_eq!(own.len(), 70, "ten blocks a stage");
    let between = own.windows(2).map(|pair| pair[1] - pair[0] - 1).max();
    assert!(between <= Some(ACTIVE_RUNS * WINDOW), "{between:?} blocks of the other tenant started in between");
}

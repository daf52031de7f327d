//! What a kill and a stop cost: a killed engine's calls in flight are paid again and counted; one that is stopped repeats none.

use std::time::Duration;

use luci_sandbox::SandboxOptions;
use serde_json::Value;

use super::fixture::{Fixture, fixture};
use crate::support::eventually;

const LEADS: u64 = 600;
/// Of a match, at both providers.
const PRICE: u64 = 100_000;
const TURNS: u64 = 4;

/// Slow enough that calls are in flight at any moment.
async fn slow() -> Fixture {
    fixture(SandboxOptions { delay: Duration::from_millis(400), ..SandboxOptions::default() }).await
}

/// Until the providers were asked about so many people.
async fn asked(fixture: &Fixture, people: u64) {
    eventually("lookups", async || fixture.sandbox.ledger().asked >= people).await;
}

/// Cost of the answers, and what was counted as paid again.
async fn stored(fixture: &Fixture) -> (u64, u64) {
    let sql = "select coalesce(sum(cost_micros), 0)::bigint, coalesce(sum(paid_again_micros), 0)::bigint from provider_results";
    let sums: (i64, i64) = sqlx::query_as(sql).fetch_one(&fixture.database.pool().await).await.expect("sums");
    (sums.0.unsigned_abs(), sums.1.unsigned_abs())
}

/// Queries of calls that have no answer.
async fn open(fixture: &Fixture) -> i64 {
    let sql = "select count(*) from provider_calls";
    sqlx::query_scalar(sql).fetch_one(&fixture.database.pool().await).await.expect("a count")
}

async fn completed(fixture: &Fixture, run: &str) -> Value {
    let detail = fixture.luci.api().run_ended(run).await;
    assert_eq!(detail["run"]["status"], "completed", "{:#}", detail["run"]);
    detail
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_makes_paid_twice_is_counted_in_the_run() {
    let mut fixture = slow().await;
    let run = fixture.start_run(LEADS, 150).await;
    for turn in 1..=TURNS {
        asked(&fixture, turn * 80).await;
        fixture.luci.kill().await;
        fixture.luci.start().await;
    }
    let detail = completed(&fixture, &run).await;
    let ((answers, again), billed) = (stored(&fixture).await, fixture.sandbox.ledger().billed * PRICE);
    assert!(billed > answers, "no kill met a call in flight");
    assert!(billed <= answers + again, "billed {billed}, answers {answers}, counted as paid again {again}");
    assert_eq!(detail["run"]["costMicros"], answers + again);
    assert_eq!(open(&fixture).await, 0, "every call that was cut off was asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_keeps_every_paid_answer() {
    let mut fixture = slow().await;
    let run = fixture.start_run(LEADS, 150).await;
    for turn in 1..=TURNS {
        asked(&fixture, turn * 80).await;
        assert_eq!(fixture.luci.stop().await.code(), Some(0));
        fixture.luci.start().await;
    }
    let detail = completed(&fixture, &run).await;
    let ledger = fixture.sandbox.ledger();
    assert_eq!(stored(&fixture).await, (ledger.billed * PRICE, 0), "paid twice: {:?}", ledger.billed_twice());
    assert_eq!((&detail["run"]["costMicros"], open(&fixture).await), (&(ledger.billed * PRICE).into(), 0));
}

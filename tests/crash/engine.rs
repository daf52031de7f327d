//! kill -9 of the whole process at moments that follow no pattern: the run completes as if nothing had been.

use std::time::Duration;

use luci_sandbox::SandboxOptions;

use super::{children, evidence, fixture::fixture};

const LEADS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_a_run_completes_and_pushes_nobody_twice() {
    // Slow enough that kills fall into every stage.
    let mut fixture = fixture(SandboxOptions { delay: Duration::from_millis(30), ..SandboxOptions::default() }).await;
    let run = fixture.start_run(LEADS, 100).await;
    for turn in 0..kills() {
        // 150 to 1,850 ms after the start, in no order.
        tokio::time::sleep(Duration::from_millis(150 + turn * 7_919 % 1_700)).await;
        fixture.luci.kill().await;
        fixture.luci.start().await;
    }
    evidence::came_through(&fixture, &run, LEADS).await;
}

/// Five, or as many as LUCI_TEST_SECONDS says seconds.
fn kills() -> u64 {
    children::seconds() / 2
}

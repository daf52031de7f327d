//! Chaos: thirteen processes of the real binary under a seeded schedule of faults, and what must hold afterwards.
//!
//! `make chaos SEED=7 MINUTES=10` runs the long schedule; `make test` runs a short one. The seed fixes which faults come in
//! which order and after which pauses; how far the work is by then depends on the machine.

mod checks;
mod cluster;
mod evidence;
mod faults;
mod member;
mod payments;
mod report;
mod work;

use std::{env, sync::Arc, time::Duration};

use cluster::Cluster;
use report::Report;
use tokio::time::Instant;
use work::Work;

/// Faults in the test suite: each kind comes at least once.
const SHORT: Duration = Duration::from_secs(45);
/// For all runs to end after the last fault.
const RECOVERY: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute and a half with thirteen processes: `make test` runs it by itself"]
async fn short() {
    run(variable("LUCI_CHAOS_SEED").unwrap_or(1), SHORT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes: `make chaos SEED=7 MINUTES=10`"]
async fn schedule() {
    let minutes = variable("LUCI_CHAOS_MINUTES").unwrap_or(10);
    run(variable("LUCI_CHAOS_SEED").unwrap_or(1), Duration::from_secs(60 * minutes)).await;
}

#[allow(clippy::disallowed_methods, reason = "the tests' own switch")]
fn variable(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Faults for `duration`, then recovery, then every check; prints the report and panics when a check failed.
async fn run(seed: u64, duration: Duration) {
    println!("chaos: seed {seed}, {} s of faults", duration.as_secs());
    let cluster = Cluster::start().await;
    let until = Instant::now() + duration;
    let work = Arc::new(Work::prepare(&cluster, seed).await);
    let (faults, ()) = tokio::join!(faults::inject(&cluster, seed, until), work.run(until));
    let ended = Instant::now();
    let unended = work.finish(ended + RECOVERY).await;
    let mut report = Report::new(seed, duration, faults, work.summary().await);
    report.recovered(ended.elapsed(), &unended);
    checks::run(&cluster, &work, &mut report).await;
    println!("{report}");
    if report.failed() {
        println!("the logs of the processes: {}", cluster.keep().display());
        panic!("seed {seed}: a check failed; run it again with `make chaos SEED={seed}`");
    }
}

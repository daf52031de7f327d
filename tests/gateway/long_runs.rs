//! Reads and commands of a run with tens of thousands of events: bounded memory, and stored states that are believed only when
//! they are what a process stored.

use luci_projections::runs::{PAST_RUN_FOLD, PastRun};
use luci_runs::{core::Run, folded_runs::RUN_FOLD, issue::Issuer};
use luci_schema::{
    TenantId, Version,
    log::{Log, LogOptions, SNAPSHOT_EVERY, SnapshotFold, SnapshotOf, Snapshots},
    migrate::{self, DatabaseRole},
};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::fixture::still;
use crate::{
    projections::history::History,
    support::{self, Servers, System, eventually, luci, vault},
};

/// A completed run of blocks of one lead: about sixteen events for each.
fn long_run(tenant: TenantId, leads: u64, events: usize) -> History {
    let run = History::completed(tenant, "long", leads, 1);
    assert!(run.events.len() > events, "{} events", run.events.len());
    run
}

fn snapshots() -> Snapshots {
    Snapshots::new(vault().snapshot_key().expose_secret())
}

fn of(run: &History, fold: SnapshotFold) -> SnapshotOf {
    SnapshotOf { tenant: run.tenant, stream: run.id.into(), fold }
}

async fn stored(system: &System) -> i64 {
    sqlx::query_scalar("select count(*) from log.snapshots")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("counted")
}

/// Changes one character of every stored state.
async fn tamper(system: &System) {
    let change =
        "update log.snapshots set state = convert_to(replace(convert_from(state, 'UTF8'), 'luci', 'evil'), 'UTF8')";
    let done = sqlx::query(change).execute(&system.database.pool().await).await.expect("changed");
    assert!(done.rows_affected() > 0);
}

/// Peak resident memory of a process, in MiB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") / 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_reads_of_a_long_run_take_bounded_memory() {
    let (database, nats) = tokio::join!(support::database(), support::nats());
    let luci = luci(Servers::on(&database, &nats)).await;
    let pool = migrate::connect(database.url(), DatabaseRole::Engine, 4).await.expect("a pool");
    let log = Log::open(pool, LogOptions::default()).await.expect("a log");
    let tenant: TenantId =
        sqlx::query_scalar("select id from tenants").fetch_one(log.pool()).await.expect("the tenant");
    let mut run = long_run(tenant, 1_950, 30_000);
    run.append_to(&log).await;
    let (api, path) = (luci.api(), format!("/api/pipelines/{}", run.id));
    // What the other roles keep of the run is in memory before the reads.
    eventually("the read tables have the run", async || api.get(&path).await.1["run"]["status"] == "completed").await;
    let before = peak_memory(luci.pid());
    let paths =
        ["?asOf=v29999", "/verify", "/failed-leads", "/events?type=run:completed"].map(|end| format!("{path}{end}"));
    let reads = (0..40).map(|n| api.get(&paths[n % paths.len()]));
    let answers = futures::future::join_all(reads).await;
    let grown = peak_memory(luci.pid()) - before;
    let refused = answers.iter().filter(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE).count();
    assert!(answers.iter().all(|(status, _)| *status == 200 || *status == 503), "{answers:?}");
    assert!(refused < 40, "all were refused");
    assert!(grown < 200, "40 reads took {grown} MiB more than {before}");
    assert!(api.get("/readyz").await.0.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_state_is_used_and_a_changed_one_is_not_believed() {
    let system = still().await;
    let mut run = long_run(system.tenant, 700, 2 * SNAPSHOT_EVERY as usize);
    run.append_to(&system.running.log).await;
    let path = format!("/api/pipelines/{}", run.id);
    let at = |version: u64| format!("{path}?asOf=v{version}");
    let newest = run.events.len() as u64;

    // Folded from the first event, which stores states; then from the newest of them.
    let (status, folded) = system.api.get(&at(newest)).await;
    assert_eq!((status.as_u16(), stored(&system).await), (200, 2), "{folded}");
    assert_eq!(system.api.get(&at(newest)).await.1, folded);
    let tables = support::found("the read tables have the run", async || {
        let detail = system.api.get(&path).await.1;
        (detail["run"]["version"] == newest).then_some(detail)
    })
    .await;
    for part in ["stages", "blocks", "artifacts"] {
        assert_eq!(tables[part], folded[part], "{part} of a fold that drops what no answer shows");
    }

    // A state that says something else, with a right MAC: it shows that states are used.
    let (log, of) = (&system.running.log, of(&run, PAST_RUN_FOLD));
    let (version, mut state) =
        snapshots().find::<Value>(log, of, Version(newest)).await.expect("read").expect("stored");
    assert_eq!(version, Version(2 * SNAPSHOT_EVERY));
    state["run"]["pipeline_name"] = json!("luci says the state");
    let events = log.read_stream(run.tenant, run.id.into(), Version(version.0 - 1), 1).await.expect("read");
    snapshots().store(log, of, version, events[0].hash, &state).await;
    assert_eq!(system.api.get(&at(newest)).await.1["run"]["pipelineName"], "luci says the state");
    assert_eq!(system.api.get(&at(version.0 - 1)).await.1["run"]["pipelineName"], "long", "an older state");

    tamper(&system).await;
    assert_eq!(system.api.get(&at(newest)).await.1, folded, "a state that somebody changed");
    snapshots().store(log, of, version, [7; 32], &state).await;
    assert_eq!(system.api.get(&at(newest)).await.1, folded, "a state of another history");
    Snapshots::new(b"another key").store(log, of, version, events[0].hash, &state).await;
    assert_eq!(system.api.get(&at(newest)).await.1, folded, "a state under another master key");
    let (_, verified) = system.api.get(&format!("{path}/verify")).await;
    assert_eq!((&verified["intact"], &verified["checked"]), (&json!(true), &json!(newest)));
    assert!(snapshots().find::<PastRun>(log, of, Version(SNAPSHOT_EVERY - 1)).await.expect("read").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_command_after_a_restart_starts_from_a_stored_state() {
    let system = still().await;
    let mut run = long_run(system.tenant, 700, 2 * SNAPSHOT_EVERY as usize);
    run.append_to(&system.running.log).await;
    let (log, of) = (&system.running.log, of(&run, RUN_FOLD));
    let restarted = || Issuer::new(log.clone()).with_snapshots(snapshots());
    let load = async || restarted().load_newest(run.tenant, run.id).await.expect("read").expect("a run");
    let folded = load().await;
    assert_eq!(folded.version(), Version(run.events.len() as u64));
    let newest = async || snapshots().find::<Value>(log, of, Version(u64::MAX)).await.expect("read");
    let (version, mut state) = support::found("a stored state", async || {
        newest().await.filter(|(version, _)| version.0 == 2 * SNAPSHOT_EVERY)
    })
    .await;
    assert_eq!(*load().await, *folded, "from the stored state");

    let events = log.read_stream(run.tenant, run.id.into(), Version(version.0 - 1), 1).await.expect("read");
    state["pinned"]["pipelineName"] = json!("luci says the state");
    snapshots().store(log, of, version, events[0].hash, &state).await;
    assert_eq!(load().await.queued().pipeline_name, "luci says the state");
    tamper(&system).await;
    let again: Run = (*load().await).clone();
    assert_eq!(again, *folded, "a state that somebody changed");
}

//! A rebuild gives the same rows, and no read fails meanwhile.

use std::sync::Mutex;

use luci_projections::{
    rebuild::{OnDifference, RebuildError, rebuild},
    runs, snapshot,
};
use luci_schema::{Position, TenantId};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    fixture::fixture,
    history::{History, Outcome},
};
use crate::support::found;

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_under_load_it_equals_the_live_one_and_no_read_fails() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    for n in 0..40 {
        History::completed(tenant, &format!("before {n}"), 500, 250).append_to(&fixture.log).await;
    }
    let mut running = fixture.project("live");
    running.reach(fixture.log.head()).await;

    let stop = CancellationToken::new();
    let appending = {
        let (log, stop) = (fixture.log.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                History::completed(tenant, "during", 500, 250).append_to(&log).await;
            }
        })
    };
    let reading = {
        let (gateway, stop) = (fixture.gateway.clone(), stop.clone());
        tokio::spawn(async move {
            let mut reads = 0;
            while !stop.is_cancelled() {
                let mut tx = snapshot::begin(&gateway, tenant).await.expect("a transaction");
                let page = runs::list(&mut tx, tenant, &runs::RunFilter::default()).await.expect("no failed read");
                assert!(page.total >= 40, "an empty version never serves");
                runs::get(&mut tx, tenant, page.runs[0].run_id).await.expect("no failed read").expect("found");
                reads += 1;
            }
            reads
        })
    };
    let first = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &|_| {})
        .await
        .expect("rebuilt");
    assert_eq!(first.serving, "read_b");
    let second = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &|_| {})
        .await
        .expect("rebuilt again");
    assert_eq!(second.serving, "read_a");
    stop.cancel();
    appending.await.expect("appended");
    assert!(reading.await.expect("read") > 10);
    running.reach(fixture.log.head()).await;
    fixture.assert_no_drift().await;
    running.stop().await.expect("an orderly end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_differs_is_swapped_only_on_request() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    History::completed(tenant, "whole", 500, 250).append_to(&fixture.log).await;
    let mut open = History::started(tenant, "open", 500, 250);
    open.work(3, |_| Outcome::Done { failed: 0 });
    open.append_to(&fixture.log).await;
    let mut running = fixture.project("live");
    running.reach(fixture.log.head()).await;
    let edit = "update pipeline_runs set processed_leads = processed_leads + 1";
    sqlx::query(edit).execute(&fixture.database.pool().await).await.expect("edited");

    let refused = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &|_| {}).await;
    let Err(RebuildError::Differs { tables }) = refused else { panic!("{refused:?}") };
    assert_eq!(tables, ["pipeline_runs"]);
    let swapped = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Swap, &|_| {})
        .await
        .expect("rebuilt");
    assert_eq!(swapped.differed, ["pipeline_runs"]);

    // The projector drops its rows in memory, which came from the wrong table.
    open.work(usize::MAX, |_| Outcome::Done { failed: 0 });
    running.reach(open.append_to(&fixture.log).await).await;
    fixture.assert_no_drift().await;
    running.stop().await.expect("an orderly end");
}

/// Events of a large log: several batches of a fold.
const MANY: u64 = 20_000;

/// Reads in one snapshot what different tables say of the same runs; they come from one version and one position.
async fn read_consistently(gateway: &PgPool, tenant: TenantId) {
    let mut tx = snapshot::begin(gateway, tenant).await.expect("a transaction");
    let page = runs::list(&mut tx, tenant, &runs::RunFilter::default()).await.expect("no failed read");
    for run in page.runs.iter().take(3) {
        let detail = runs::get(&mut tx, tenant, run.run_id).await.expect("no failed read").expect("found");
        assert_eq!((detail.run.version, detail.run.processed_leads), (run.version, run.processed_leads));
        let sum: u64 = detail.stages.iter().map(|stage| stage.cost_micros).sum();
        assert_eq!(sum, run.cost_micros, "stages and run are of one version");
    }
    let counted: i64 =
        sqlx::query_scalar("select coalesce(sum(runs), 0)::bigint from run_counters where tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut *tx)
            .await
            .expect("no failed read");
    assert_eq!(counted.unsigned_abs(), page.total, "counters and runs are of one version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_cut_off_goes_on_where_it_was_and_no_read_is_mixed() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    while fixture.log.head().0 < MANY {
        History::completed(tenant, "large", 2_000, 100).append_to(&fixture.log).await;
    }
    let mut running = fixture.project("live");
    running.reach(fixture.log.head()).await;
    let stop = CancellationToken::new();
    let reading = {
        let (gateway, stop) = (fixture.gateway.clone(), stop.clone());
        tokio::spawn(async move {
            let mut reads = 0;
            while !stop.is_cancelled() {
                read_consistently(&gateway, tenant).await;
                reads += 1;
            }
            reads
        })
    };
    // Cut off after its first batch, as by a kill: the connection is closed, and nothing is tidied up.
    let (cut, reached) = (CancellationToken::new(), Mutex::new(Vec::new()));
    let first = |at: Position| {
        reached.lock().expect("no panic").push(at);
        cut.cancel();
    };
    let rebuilding = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &first);
    tokio::select! {
        ended = rebuilding => panic!("it ended: {ended:?}"),
        () = cut.cancelled() => {}
    }
    let cut_at = reached.lock().expect("no panic")[0];
    assert!(Position(0) < cut_at && cut_at < fixture.log.head(), "{cut_at}");

    let reached = Mutex::new(Vec::new());
    let progress = |at: Position| reached.lock().expect("no panic").push(at);
    let done = found("the lock of the rebuild that was cut off is free", async || {
        match rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &progress).await {
            Err(RebuildError::Busy) => None,
            done => Some(done.expect("rebuilt")),
        }
    })
    .await;
    stop.cancel();
    assert!(reading.await.expect("every read is whole") > 0);
    let reached = reached.into_inner().expect("no panic");
    assert_eq!(reached.first(), Some(&cut_at), "it goes on where the first one was");
    assert!(reached.is_sorted() && reached.last() == Some(&done.position), "{reached:?}");
    assert_eq!(done.serving, "read_b");
    fixture.assert_no_drift().await;
    running.stop().await.expect("an orderly end");
}

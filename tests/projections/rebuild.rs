//! A rebuild gives the same rows, and no read fails meanwhile.

use luci_projections::{
    rebuild::{OnDifference, RebuildError, rebuild},
    runs, snapshot,
};
use luci_schema::TenantId;
use tokio_util::sync::CancellationToken;

use super::{
    fixture::fixture,
    history::{History, Outcome},
};

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

//! An answer made of several queries shows one state of the read tables.

use luci_projections::{
    rebuild::{OnDifference, rebuild},
    runs, snapshot,
};
use luci_schema::TenantId;

use super::{
    fixture::fixture,
    history::{History, Outcome},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_folded_between_two_queries_is_not_seen() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let mut run = History::started(tenant, "run", 500, 250);
    run.work(3, |_| Outcome::Done { failed: 0 });
    run.append_to(&fixture.log).await;
    let mut running = fixture.project("live");
    running.reach(fixture.log.head()).await;

    let mut tx = snapshot::begin(&fixture.gateway, tenant).await.expect("a transaction");
    let before = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    run.work(usize::MAX, |_| Outcome::Done { failed: 0 });
    run.append_to(&fixture.log).await;
    running.reach(fixture.log.head()).await;
    let after = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    assert_eq!((after.position, after.run.version), (before.position, before.run.version));
    assert_eq!((after.blocks.len(), after.artifacts.len()), (before.blocks.len(), before.artifacts.len()));

    // The tables behind the views are not exchanged while the transaction reads them.
    let rebuilding = {
        let (log, pool) = (fixture.log.clone(), fixture.pool.clone());
        tokio::spawn(async move { rebuild(&log, &pool, luci_projections::all(), OnDifference::Refuse, &|_| {}).await })
    };
    crate::support::eventually("a rebuild that waits for the views", async || {
        let waiting = "select exists (select from pg_locks where not granted and relation = 'artifacts'::regclass)";
        sqlx::query_scalar(waiting).fetch_one(&fixture.database.pool().await).await.expect("queried")
    })
    .await;
    let still = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    assert_eq!(still.run.version, before.run.version);
    tx.commit().await.expect("committed");
    rebuilding.await.expect("no panic").expect("rebuilt");
    let mut tx = snapshot::begin(&fixture.gateway, tenant).await.expect("a transaction");
    let now = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    assert_eq!(now.position, fixture.log.head());
    running.stop().await.expect("an orderly end");
}

//! The drift check reports a changed, a missing and an extra row by table and key.

use luci_projections::drift;
use luci_schema::TenantId;

use super::{fixture::fixture, history::History};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_drift_is_reported() {
    let fixture = fixture().await;
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    let mut run = History::completed(tenant, "checked", 500, 250);
    run.append_to(&fixture.log).await;
    History::completed(other, "other", 500, 250).append_to(&fixture.log).await;
    fixture.caught_up().await;
    fixture.assert_no_drift().await;

    let admin = fixture.database.pool().await;
    let tenant_text = tenant.to_string();
    for edit in [
        "update block_executions set success_count = success_count - 1 where tenant_id = $1 and sequence = 3",
        "delete from artifacts where artifact_id = (select min(artifact_id) from artifacts where tenant_id = $1)",
        "insert into run_counters values ($1, 'paused', 7)",
    ] {
        sqlx::query(edit).bind(&tenant_text).execute(&admin).await.expect("edited");
    }
    let found = drift::check(&fixture.pool, &fixture.log, luci_projections::all(), Some(tenant), &|_| {})
        .await
        .expect("checked")
        .differences;
    let named: Vec<_> = found.iter().map(|d| (d.table, d.fresh.is_some(), d.stored.is_some())).collect();
    assert_eq!(named, [("block_executions", true, true), ("artifacts", true, false), ("run_counters", false, true)]);
    assert_eq!(found[2].key, format!("{tenant}/paused"));
    let clean = drift::check(&fixture.pool, &fixture.log, luci_projections::all(), Some(other), &|_| {})
        .await
        .expect("checked");
    assert!(clean.rows > 0 && clean.differences.is_empty(), "the other tenant's rows are unchanged");
}

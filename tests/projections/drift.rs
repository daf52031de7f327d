//! The drift check reports a changed, a missing and an extra row by table and key.

use luci_projections::drift;
use luci_schema::TenantId;

use super::{fixture::fixture, history::History};
use crate::support::{output, temp_dir};

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

/// Edits by table: rows that are changed, and rows that are deleted.
const EDITS: [(&str, &str, usize, usize); 5] = [
    ("pipeline_runs", "processed_leads = processed_leads + 1", 12, 3),
    ("block_executions", "success_count = success_count - 1", 30, 12),
    ("artifacts", "size_bytes = size_bytes * 2, checksum = 'ff'", 20, 9),
    ("run_metrics", "total_cost_micros = total_cost_micros + 5", 8, 3),
    ("run_counters", "runs = runs + 1", 3, 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_corrupted_rows_are_found_and_repaired() {
    let fixture = fixture().await;
    for n in 0..4 {
        let tenant = TenantId::generate();
        for m in 0..6 {
            History::completed(tenant, &format!("run {n} {m}"), 500, 250).append_to(&fixture.log).await;
        }
    }
    fixture.caught_up().await;
    let admin = fixture.database.pool().await;
    for (table, change, changed, deleted) in EDITS {
        // Which rows: without a pattern, and the same each time.
        let rows = |limit: usize| format!("(select ctid from read_a.{table} order by md5(ctid::text) limit {limit})");
        for edit in [
            format!("delete from read_a.{table} where ctid in {}", rows(deleted)),
            format!("update read_a.{table} set {change} where ctid in {}", rows(changed)),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(edit)).execute(&admin).await.expect("edited");
        }
    }
    let found =
        drift::check(&fixture.pool, &fixture.log, luci_projections::all(), None, &|_| {}).await.expect("checked");
    for (table, _, changed, deleted) in EDITS {
        let of_table = || found.differences.iter().filter(|difference| difference.table == table);
        let missing = of_table().filter(|difference| difference.stored.is_none()).count();
        assert_eq!((of_table().count() - missing, missing), (changed, deleted), "{table}");
    }
    assert_eq!(found.differences.len(), 100);

    let (folder, url) = (temp_dir("operator"), [("LUCI_DATABASE_URL", fixture.database.url())]);
    let plain = output(&folder, &["audit", "drift"], &url).await;
    assert_eq!(plain.status.code(), Some(1), "rows differ");
    let repaired = output(&folder, &["audit", "drift", "--repair"], &url).await;
    let text = String::from_utf8_lossy(&repaired.stdout);
    assert!(repaired.status.success() && text.contains("repaired at position"), "{text}");
    assert!(output(&folder, &["audit", "drift"], &url).await.status.success());
    fixture.assert_no_drift().await;
}

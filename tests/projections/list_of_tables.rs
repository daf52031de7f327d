//! The list of read tables: the same in Rust and SQL, and a table that is added to a log with history.

use luci_projections::{
    all, metrics,
    rebuild::{OnDifference, rebuild},
};
use luci_schema::TenantId;

use super::{fixture::fixture, history::History};

#[tokio::test(flavor = "multi_thread")]
async fn every_projection_is_a_read_table_and_no_other_is() {
    let fixture = fixture().await;
    let mut projections: Vec<_> = all().iter().map(|projection| projection.table.to_owned()).collect();
    projections.sort();
    let listed: Vec<String> = sqlx::query_scalar("select name from read_tables where complete order by name")
        .fetch_all(&fixture.pool)
        .await
        .expect("queried");
    assert_eq!(projections, listed);
    for version in ["read_a", "read_b"] {
        let tables: Vec<String> =
            sqlx::query_scalar("select tablename::text from pg_tables where schemaname = $1 order by tablename")
                .bind(version)
                .fetch_all(&fixture.pool)
                .await
                .expect("queried");
        assert_eq!(projections, tables, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_added_to_a_log_with_history_is_folded_by_the_next_rebuild() {
    let fixture = fixture().await;
    let admin = fixture.database.pool().await;
    let tenant = TenantId::generate();
    let mut first = History::completed(tenant, "first", 500, 250);
    first.append_to(&fixture.log).await;
    fixture.caught_up().await;
    // As after the migration of a new projection.
    sqlx::raw_sql("truncate read_a.run_metrics; update read_tables set complete = false where name = 'run_metrics'")
        .execute(&admin)
        .await
        .expect("emptied");

    let mut second = History::completed(tenant, "second", 500, 250);
    second.append_to(&fixture.log).await;
    let mut running = fixture.project("live");
    running.reach(fixture.log.head()).await;
    let mut tx = fixture.reading(tenant).await;
    assert!(metrics::get(&mut tx, tenant, second.id).await.expect("queried").is_none(), "not folded from the middle");
    drop(tx);

    let rebuilt = rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &|_| {})
        .await
        .expect("rebuilt");
    assert_eq!(rebuilt.differed, Vec::<&str>::new());
    let mut third = History::completed(tenant, "third", 500, 250);
    running.reach(third.append_to(&fixture.log).await).await;
    let mut tx = fixture.reading(tenant).await;
    for run in [first.id, second.id, third.id] {
        assert!(metrics::get(&mut tx, tenant, run).await.expect("queried").is_some());
    }
    drop(tx);
    fixture.assert_no_drift().await;
    running.stop().await.expect("stopped without an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_add_makes_the_table_in_both_versions_with_its_indexes_and_row_security() {
    let fixture = fixture().await;
    let admin = fixture.database.pool().await;
    let tenant = TenantId::generate();
    History::completed(tenant, "before", 250, 250).append_to(&fixture.log).await;
    fixture.caught_up().await;
    let add = "select read_add('extra', 'create table extra (tenant_id text collate \"C\" not null, n bigint not null,
                 primary key (tenant_id, n)); create index extra_by_n on extra (n)')";
    sqlx::raw_sql(add).execute(&admin).await.expect("added");
    let complete = "select complete from read_tables where name = 'extra'";
    let complete_now = || sqlx::query_scalar::<_, bool>(complete).fetch_one(&admin);
    assert!(!complete_now().await.expect("queried"), "the log has history");

    rebuild(&fixture.log, &fixture.pool, luci_projections::all(), OnDifference::Refuse, &|_| {})
        .await
        .expect("rebuilt");
    assert!(complete_now().await.expect("queried"));
    let indexes = "select count(*) from pg_indexes where indexname in ('extra_pkey', 'extra_by_n')";
    let indexes: i64 = sqlx::query_scalar(indexes).fetch_one(&admin).await.expect("queried");
    assert_eq!(indexes, 4, "the rebuild made the second index again");
    sqlx::query("insert into read_b.extra values ($1, 1), ('another', 2)")
        .bind(tenant)
        .execute(&fixture.pool)
        .await
        .expect("the projector writes");
    let mut tx = fixture.reading(tenant).await;
    let rows: Vec<i64> =
        sqlx::query_scalar("select n from extra").fetch_all(&mut *tx).await.expect("the gateway reads");
    assert_eq!(rows, [1], "only the tenant's rows");
}

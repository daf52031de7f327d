//! Row-level security: without a tenant no row is visible, with one only its own.

use luci_schema::{
    RunId, TenantId,
    migrate::{self, DatabaseRole, tenant_tx},
};

use super::{append, command, open};
use crate::support;

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_nobody_sees_all() {
    let database = support::database().await;
    let log = open(&database).await;
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    log.append(append(tenant, RunId::generate(), 0, 2)).await.expect("appended");
    log.append(command(other, RunId::generate(), 0, "theirs")).await.expect("appended");
    for role in [DatabaseRole::Gateway, DatabaseRole::Auditor] {
        let pool = migrate::connect(database.url(), role, 1).await.expect("a pool");
        let count = "select (select count(*) from log.events) * 10 + (select count(*) from log.streams)";
        let mut tx = tenant_tx(&pool, tenant).await.expect("a transaction");
        let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.expect("counted");
        assert_eq!(seen, 21, "{role:?} sees two events of one stream");
        tx.rollback().await.expect("ended");
        let seen: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.expect("counted");
        assert_eq!(seen, 0, "{role:?} without a tenant");
        let partition = sqlx::query("select 1 from log.events_p000000").execute(&pool).await;
        assert!(partition.is_err(), "a partition is no way around");
    }
    let auditor = migrate::connect(database.url(), DatabaseRole::Auditor, 1).await.expect("a pool");
    let mut tx = tenant_tx(&auditor, tenant).await.expect("a transaction");
    let receipts: i64 =
        sqlx::query_scalar("select count(*) from log.receipts").fetch_one(&mut *tx).await.expect("counted");
    assert_eq!(receipts, 0, "the other tenant's receipt");
}

#[tokio::test]
async fn a_cancelled_borrower_leaves_no_tenant_behind() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Gateway, 2).await.expect("a pool");
    // Cancelled at every stage of the borrowing, whatever the speed of the machine.
    for micros in (0..2_000).step_by(10) {
        let borrowing =
            tokio::time::timeout(std::time::Duration::from_micros(micros), tenant_tx(&pool, TenantId::generate()));
        drop(borrowing.await);
        let left: Option<String> = sqlx::query_scalar("select nullif(current_setting('app.tenant_id', true), '')")
            .fetch_one(&pool)
            .await
            .expect("answered");
        assert_eq!(left, None);
    }
}

#[tokio::test]
async fn a_returned_connection_has_no_transaction_open_or_failed() {
    let database = support::database().await;
    let pool = migrate::connect(database.url(), DatabaseRole::Gateway, 1).await.expect("a pool");
    let (fine, open, failed) = ("select 1", "begin; set local app.tenant_id = 'left'", "begin; select 1 / 0");
    for left_behind in [fine, open, failed] {
        let mut c = pool.acquire().await.expect("the connection");
        let outcome = sqlx::raw_sql(left_behind).execute(&mut *c).await;
        assert_eq!(outcome.is_err(), left_behind == failed, "{left_behind}: {outcome:?}");
        drop(c);
        let mut c = pool.acquire().await.expect("the connection");
        let left: Option<String> = sqlx::query_scalar("select nullif(current_setting('app.tenant_id', true), '')")
            .fetch_one(&mut *c)
            .await
            .expect(left_behind);
        assert_eq!(left, None, "{left_behind}");
    }
}

#[tokio::test]
async fn migrations_say_what_is_pending_and_run_once() {
    let database = support::empty_database().await;
    let owner = database.pool().await;
    let pending = migrate::pending(&owner).await.expect("answered");
    assert_eq!(pending[0].version, 1);
    assert_eq!(migrate::run(&owner).await.expect("migrated"), pending);
    assert_eq!(migrate::pending(&owner).await.expect("answered"), []);
    assert_eq!(migrate::run(&owner).await.expect("nothing to do"), []);
}

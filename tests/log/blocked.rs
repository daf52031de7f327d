//! Another session that holds `log.head`: appends fail as temporary, the session is named, and the log goes on afterwards.

use luci_schema::{
    RunId, TenantId,
    log::{AppendError, blocking_session, is_blocked},
};

use super::{append, assert_whole, open};
use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_head_fails_appends_and_its_holder_is_named() {
    let database = support::database().await;
    let (log, owner, tenant) = (open(&database).await, database.pool().await, TenantId::generate());
    let run = RunId::generate();
    log.append(append(tenant, run, 0, 1)).await.expect("appended");

    let mut tx = owner.begin().await.expect("a transaction");
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await.expect("a pid");
    sqlx::query("lock table log.head in exclusive mode").execute(&mut *tx).await.expect("locked");
    // More than one caller at once: each is answered.
    let waiting: Vec<_> = (0..20).map(|_| log.append(append(tenant, RunId::generate(), 0, 1))).collect();
    for answer in futures::future::join_all(waiting).await {
        let Err(AppendError::Database(error)) = answer else { panic!("{answer:?}") };
        assert!(is_blocked(&error), "{error:?}");
    }
    let mut c = log.pool().acquire().await.expect("a connection");
    let session = blocking_session(&mut c).await.expect("queried").expect("a session");
    assert_eq!(session.pid, pid);
    assert!(session.seconds >= 4, "{session}");
    drop(c);

    tx.rollback().await.expect("rolled back");
    log.append(append(tenant, run, 1, 1)).await.expect("appended");
    let mut c = log.pool().acquire().await.expect("a connection");
    assert_eq!(blocking_session(&mut c).await.expect("queried"), None);
    assert_whole(&owner, 2).await;
}

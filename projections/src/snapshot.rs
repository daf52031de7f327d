//! One state of all read tables, for answers that need several queries.

use luci_schema::TenantId;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use crate::all;

/// A read-only transaction that sees one tenant's rows as they were at one moment: a run, its blocks and its position agree
/// although they are separate queries.
///
/// The views are locked before the snapshot is taken (by the first query). A rebuild that exchanges the tables behind them
/// therefore happens wholly before or wholly after this transaction.
pub async fn begin(pool: &PgPool, tenant: TenantId) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut views: Vec<&str> = all().iter().map(|projection| projection.table).collect();
    // The order in which `read_serve` replaces them: another order could deadlock.
    views.sort_unstable();
    // `set local` and `lock table` take no snapshot and no parameters. An id has letters, digits and `_` alone.
    let begin = format!(
        "begin isolation level repeatable read; set local app.tenant_id = '{tenant}'; lock table {} in access share mode",
        views.join(", "),
    );
    pool.begin_with(AssertSqlSafe(begin)).await
}

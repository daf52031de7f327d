//! Drift: do the tables equal a fresh fold of the log? The log is folded again into temporary tables and compared with the
//! serving ones row by row, both at the position where the projector stands.

use luci_schema::{Position, TenantId, log::Log};
use serde::Serialize;
use sqlx::{Connection as _, PgPool, Row as _};

use crate::{
    all,
    copy::SecondCopy,
    projector::{self, ProjectorError},
};

/// Differences that are told of one table, at most: as `projection!` limits them.
pub const MOST: usize = 100;

/// A row that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub table: &'static str,
    pub key: String,
    /// As the log says; absent when there should be no such row.
    pub fresh: Option<serde_json::Value>,
    /// As it stands in the table; absent when the row is missing.
    pub stored: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Where the tables were compared.
    pub position: Position,
    /// Rows that a fresh fold has.
    pub rows: u64,
    /// At most `MOST` a table; none means that the tables equal a fresh fold.
    pub differences: Vec<Difference>,
}

/// Compares one tenant's rows, or all. The pool's role is `luci_projector`; the projector may run meanwhile. `progress` is
/// told of each position reached.
pub async fn check(
    pool: &PgPool,
    log: &Log,
    tenant: Option<TenantId>,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Drift, ProjectorError> {
    let mut c = projector::connect(pool).await?;
    sqlx::query("select public.read_temporary()").execute(&mut c).await?;
    let mut copy = SecondCopy::begin(c, "pg_temp", tenant).await?;
    let position = copy.meet(log, progress).await?;
    copy.freeze().await?;
    let mut drift = Drift { position, rows: 0, differences: Vec::new() };
    for projection in all() {
        let table = format!("pg_temp.{}", projection.table);
        let rows = sqlx::query_scalar("select rows from public.read_digest($1::text::regclass)").bind(table);
        let rows: i64 = rows.fetch_one(&mut copy.c).await?;
        drift.rows += u64::try_from(rows).unwrap_or(0);
        for row in sqlx::query(projection.differences).bind(tenant).fetch_all(&mut copy.c).await? {
            drift.differences.push(Difference {
                table: projection.table,
                key: row.try_get("key")?,
                fresh: row.try_get("fresh")?,
                stored: row.try_get("stored")?,
            });
        }
    }
    copy.thaw().await?;
    // The temporary tables go with the connection.
    copy.c.close().await?;
    Ok(drift)
}

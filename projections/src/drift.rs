//! The drift check: whether the read tables equal a fresh fold of the log. The log is folded into temporary tables, which are
//! compared with the serving ones row by row, both at the projector's position.

use luci_schema::{Position, TenantId, log::Log};
use serde::Serialize;
use sqlx::{Connection as _, PgPool, Row as _};

use crate::{fold::Projection, fold_error::ProjectorError, projector, shadow_copy::ShadowCopy};

/// Most differences that are reported of one table.
pub const MOST: usize = 100;

/// A row that differs from the fold of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub table: &'static str,
    /// The primary key's columns, joined by `/`.
    pub key: String,
    /// As the log gives it; absent when there should be no such row.
    pub fresh: Option<serde_json::Value>,
    /// As it is in the table; absent when the row is missing.
    pub stored: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The position of both at the comparison.
    pub position: Position,
    /// Rows of the fresh fold.
    pub rows: u64,
    /// At most `MOST` a table; none means that the tables equal a fresh fold.
    pub differences: Vec<Difference>,
}

/// Compares one tenant's rows, or all. The pool's role is `luci_projector`; the projector may run meanwhile. `progress` is
/// called with each position reached.
pub async fn check(
    pool: &PgPool,
    log: &Log,
    projections: &'static [Projection],
    tenant: Option<TenantId>,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Drift, ProjectorError> {
    let mut c = projector::connect(pool).await?;
    sqlx::query("select public.read_temporary()").execute(&mut c).await?;
    let mut copy = ShadowCopy::new(c, "pg_temp", projections, tenant).await?;
    let position = copy.hold_projector(log, progress).await?;
    copy.begin_snapshot().await?;
    let mut drift = Drift { position, rows: 0, differences: Vec::new() };
    for projection in projections {
        let table = format!("pg_temp.{}", projection.table);
        let rows = sqlx::query_scalar("select rows from public.read_digest($1::text::regclass)").bind(table);
        let rows: i64 = rows.fetch_one(&mut copy.c).await?;
        drift.rows += u64::try_from(rows).unwrap_or(0);
        let differences = sqlx::query("select key, fresh, stored from public.read_differences($1, $2, $3)");
        let differences = differences.bind(projection.table).bind(tenant).bind(i32::try_from(MOST).unwrap_or(i32::MAX));
        for row in differences.fetch_all(&mut copy.c).await? {
            drift.differences.push(Difference {
                table: projection.table,
                key: row.try_get("key")?,
                fresh: row.try_get("fresh")?,
                stored: row.try_get("stored")?,
            });
        }
    }
    copy.end_snapshot().await?;
    // Postgres drops the temporary tables with the connection.
    copy.c.close().await?;
    Ok(drift)
}

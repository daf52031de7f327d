//! Table `run_counters`: rows read and written. The name is unqualified: `search_path` says which version is meant.

use luci_schema::TenantId;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use crate::{
    column::{bigint, column, count, parse},
    status::RunStatus,
};

/// A row of `run_counters`.
#[derive(Debug, Clone, Copy)]
pub(super) struct CounterRow {
    pub(super) tenant_id: TenantId,
    pub(super) status: RunStatus,
    pub(super) runs: u64,
}

impl sqlx::FromRow<'_, PgRow> for CounterRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { tenant_id: row.try_get("tenant_id")?, status: parse(row, "status")?, runs: count(row, "runs")? })
    }
}

pub(super) async fn load(c: &mut PgConnection, tenants: &[TenantId]) -> Result<Vec<CounterRow>, sqlx::Error> {
    sqlx::query_as("select tenant_id, status, runs from run_counters where tenant_id = any($1)")
        .bind(tenants)
        .fetch_all(c)
        .await
}

/// Writes rows as they are now; each row once.
pub(super) async fn write(c: &mut PgConnection, rows: &[CounterRow]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into run_counters (tenant_id, status, runs)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[])
         on conflict (tenant_id, status) do update set runs = excluded.runs",
    )
    .bind(column!(rows, |row| row.tenant_id))
    .bind(column!(rows, |row| row.status.as_str()))
    .bind(column!(rows, |row| bigint(row.runs)))
    .execute(c)
    .await?;
    Ok(())
}

//! Table `import_starts`: the newest run that was started on each file, so that no file is started twice by mistake.

use luci_schema::{Micros, RunId, TenantId};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// The run that holds a file, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportStart {
    pub run: RunId,
    pub started_at: Micros,
}

/// Reserves the file for the run. The run that holds it where another one does.
pub async fn reserve(
    c: &mut PgConnection,
    tenant: TenantId,
    file: &str,
    run: RunId,
) -> Result<Option<ImportStart>, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into import_starts (tenant_id, file, run_id) values ($1, $2, $3)
         on conflict (tenant_id, file) do nothing",
    )
    .bind(tenant)
    .bind(file)
    .bind(run)
    .execute(&mut *c)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let found: Option<(RunId, OffsetDateTime)> =
        sqlx::query_as("select run_id, started_at from import_starts where tenant_id = $1 and file = $2")
            .bind(tenant)
            .bind(file)
            .fetch_optional(c)
            .await?;
    let held = found.map(|(run, at)| ImportStart { run, started_at: at.into() });
    Ok(held.filter(|held| held.run != run))
}

/// Gives the file to another run, while `from` still holds it. False: somebody else was faster.
pub async fn take_over(
    c: &mut PgConnection,
    tenant: TenantId,
    file: &str,
    (from, to): (RunId, RunId),
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update import_starts set run_id = $4, started_at = now() where tenant_id = $1 and file = $2 and run_id = $3",
    )
    .bind(tenant)
    .bind(file)
    .bind(from)
    .bind(to)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Frees the file of a run that was not queued.
pub async fn release(c: &mut PgConnection, tenant: TenantId, file: &str, run: RunId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from import_starts where tenant_id = $1 and file = $2 and run_id = $3")
        .bind(tenant)
        .bind(file)
        .bind(run)
        .execute(c)
        .await
        .map(drop)
}

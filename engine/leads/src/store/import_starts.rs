//! Table `import_starts`: the newest run that was started on each file, so that no file is started twice by mistake.

use luci_schema::{CommandId, Micros, RunId, TenantId};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// The run that holds a file, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportStart {
    pub run: RunId,
    pub started_at: Micros,
}

/// Reserves the file for the run that the command starts. The run that holds it where another command started one.
pub async fn reserve(
    c: &mut PgConnection,
    tenant: TenantId,
    file: &str,
    (run, command): (RunId, &CommandId),
) -> Result<Option<ImportStart>, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into import_starts (tenant_id, file, run_id, command) values ($1, $2, $3, $4)
         on conflict (tenant_id, file) do nothing",
    )
    .bind(tenant)
    .bind(file)
    .bind(run)
    .bind(command.to_string())
    .execute(&mut *c)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let found: Option<(RunId, OffsetDateTime)> = sqlx::query_as(
        "select run_id, started_at from import_starts where tenant_id = $1 and file = $2 and command <> $3",
    )
    .bind(tenant)
    .bind(file)
    .bind(command.to_string())
    .fetch_optional(c)
    .await?;
    Ok(found.map(|(run, at)| ImportStart { run, started_at: at.into() }))
}

/// Gives the file to another run, while `from` still holds it. False: somebody else was faster.
pub async fn take_over(
    c: &mut PgConnection,
    tenant: TenantId,
    file: &str,
    from: RunId,
    (to, command): (RunId, &CommandId),
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update import_starts set run_id = $4, command = $5, started_at = now()
          where tenant_id = $1 and file = $2 and run_id = $3",
    )
    .bind(tenant)
    .bind(file)
    .bind(from)
    .bind(to)
    .bind(command.to_string())
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

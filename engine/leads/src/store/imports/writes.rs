//! Writes imports: each change of status happens once.

use luci_schema::{ImportId, Micros, TenantId};
use sqlx::PgConnection;

use super::{ImportError, NewImport};
use crate::read::upload::Counted;

/// Adds a pending import.
pub async fn begin(c: &mut PgConnection, tenant: TenantId, new: &NewImport) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into imports (tenant_id, id, file_name, object_path, content_type, created_by, created_at, size_bytes,
                              checksum, staged)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(&new.file_name)
    .bind(&new.object_path)
    .bind(&new.content_type)
    .bind(&new.created_by)
    .bind(new.created_at.date_time())
    .bind(new.size_bytes.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
    .bind(&new.checksum)
    .bind(new.staged)
    .execute(c)
    .await?;
    Ok(())
}

/// Adds a pending import that the client puts in parts of this size.
pub async fn begin_in_parts(
    c: &mut PgConnection,
    tenant: TenantId,
    new: &NewImport,
    part_bytes: u64,
) -> Result<(), sqlx::Error> {
    begin(c, tenant, new).await?;
    sqlx::query("update imports set part_bytes = $3, part_checksums = '{}' where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(new.id)
        .bind(i64::try_from(part_bytes).unwrap_or(i64::MAX))
        .execute(c)
        .await?;
    Ok(())
}

/// Sets which content counts under these part numbers; false when the import is not pending.
pub async fn announce_parts(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    parts: &[(u32, String)],
) -> Result<bool, sqlx::Error> {
    let number = |(number, _): &(u32, String)| i32::try_from(*number).unwrap_or(i32::MAX);
    let (numbers, checksums): (Vec<i32>, Vec<&str>) = parts.iter().map(|part| (number(part), part.1.as_str())).unzip();
    let done = sqlx::query(
        "update imports set part_checksums = (
             select array_agg(coalesce(announced.checksum, part_checksums[n]) order by n)
               from generate_series(1, greatest(cardinality(part_checksums), (select max(a) from unnest($3::int[]) a))) n
               left join unnest($3::int[], $4::text[]) as announced (number, checksum) on announced.number = n)
          where tenant_id = $1 and id = $2 and status = 'pending' and part_bytes is not null",
    )
    .bind(tenant)
    .bind(id)
    .bind(numbers)
    .bind(checksums)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Completes a pending import; false when it is not pending.
pub async fn complete(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    checksum: &str,
    counted: &Counted,
    at: Micros,
) -> Result<bool, sqlx::Error> {
    let Counted { summary, layout, preview } = counted;
    let done = sqlx::query(
        "update imports set status = 'completed', size_bytes = $3, checksum = $4, rows = $5, summary = $6,
                completed_at = $7, layout = $8, preview = $9
          where tenant_id = $1 and id = $2 and status = 'pending'",
    )
    .bind(tenant)
    .bind(id)
    .bind(i64::try_from(summary.size_bytes).unwrap_or(i64::MAX))
    .bind(checksum)
    .bind(i64::try_from(summary.rows).unwrap_or(i64::MAX))
    .bind(sqlx::types::Json(summary))
    .bind(at.date_time())
    .bind(sqlx::types::Json(layout))
    .bind(sqlx::types::Json(preview))
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces how a completed file is read; false when a run has taken it as its input, or it is not completed.
pub async fn correct_layout(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    counted: &Counted,
) -> Result<bool, sqlx::Error> {
    let Counted { summary, layout, preview } = counted;
    let done = sqlx::query(
        "update imports set rows = $3, summary = $4, layout = $5, preview = $6
          where tenant_id = $1 and id = $2 and status = 'completed' and layout_fixed_at is null",
    )
    .bind(tenant)
    .bind(id)
    .bind(i64::try_from(summary.rows).unwrap_or(i64::MAX))
    .bind(sqlx::types::Json(summary))
    .bind(sqlx::types::Json(layout))
    .bind(sqlx::types::Json(preview))
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Fixes the layout of an import: a run takes it as its input.
pub async fn fix_layout(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update imports set layout_fixed_at = now() where tenant_id = $1 and id = $2 and layout_fixed_at is null",
    )
    .bind(tenant)
    .bind(id)
    .execute(c)
    .await?;
    Ok(())
}

/// Completes a pending import whose size and checksum are set already.
pub async fn complete_counted(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    rows: u64,
    at: Micros,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update imports set status = 'completed', rows = $3, completed_at = $4
          where tenant_id = $1 and id = $2 and status = 'pending'",
    )
    .bind(tenant)
    .bind(id)
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .bind(at.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// Rejects a pending import; false when it is not pending.
pub async fn reject(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    error: &ImportError,
    at: Micros,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update imports set status = 'rejected', error = $3, completed_at = $4
          where tenant_id = $1 and id = $2 and status = 'pending'",
    )
    .bind(tenant)
    .bind(id)
    .bind(sqlx::types::Json(error))
    .bind(at.date_time())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a pending import until the end of the transaction; false when it is not pending. Its object is made only under this
/// lock, so that there is one writer, and none after the import was rejected.
pub async fn lock_pending(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<bool, sqlx::Error> {
    let found = sqlx::query("select from imports where tenant_id = $1 and id = $2 and status = 'pending' for update")
        .bind(tenant)
        .bind(id)
        .fetch_optional(c)
        .await?;
    Ok(found.is_some())
}

/// Rejects the uploads that were announced before `before`, those in parts before `parts_before`, and never completed; returns
/// how many.
pub async fn expire_staged(
    c: &mut PgConnection,
    (before, parts_before): (Micros, Micros),
    error: &ImportError,
) -> Result<u64, sqlx::Error> {
    let expired = sqlx::query(
        "update imports set status = 'rejected', error = $3, completed_at = now()
          where staged and staging_removed_at is null and status = 'pending'
            and created_at < case when part_bytes is null then $1 else $2 end",
    )
    .bind(before.date_time())
    .bind(parts_before.date_time())
    .bind(sqlx::types::Json(error))
    .execute(c)
    .await?;
    Ok(expired.rows_affected())
}

/// Notes that the staging object of an upload is removed, for good.
pub async fn staging_removed(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<(), sqlx::Error> {
    sqlx::query("update imports set staging_removed_at = now() where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}

/// Clears the samples of an import whose file held data of an erased person.
pub async fn clear_preview(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<(), sqlx::Error> {
    sqlx::query("update imports set preview = null where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}

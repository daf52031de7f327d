//! Reads imports.

use luci_schema::{ImportId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{Import, ImportError, ImportStatus};
use crate::read::{layout::Layout, preview::Preview, upload::ImportSummary};

/// How a file is read; `None` for a list of leads, and for a file that an earlier version counted.
pub async fn layout(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<Option<Layout>, sqlx::Error> {
    let stored: Option<Option<sqlx::types::Json<Layout>>> =
        sqlx::query_scalar("select layout from imports where tenant_id = $1 and id = $2")
            .bind(tenant)
            .bind(id)
            .fetch_optional(c)
            .await?;
    Ok(stored.flatten().map(|json| json.0))
}

pub async fn get(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<Option<Import>, sqlx::Error> {
    sqlx::query("select * from imports where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(id)
        .fetch_optional(c)
        .await?
        .map(decode)
        .transpose()
}

/// Imports, the newest first, older than `before`.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    before: Option<ImportId>,
    limit: u32,
) -> Result<Vec<Import>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from imports where tenant_id = $1 and ($2::text is null or id < $2) order by id desc limit $3",
    )
    .bind(tenant)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.into_iter().map(decode).collect()
}

/// An upload whose staging object may still be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedUpload {
    pub tenant: TenantId,
    pub id: ImportId,
    pub object_path: String,
    pub status: ImportStatus,
}

/// Uploads that were announced before `before`, the oldest first.
pub async fn staged(c: &mut PgConnection, before: Micros, limit: u32) -> Result<Vec<StagedUpload>, sqlx::Error> {
    let rows = sqlx::query(
        "select tenant_id, id, object_path, status from imports
          where staged and staging_removed_at is null and created_at < $1 order by created_at limit $2",
    )
    .bind(before.date_time())
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    let decode = |row: &PgRow| {
        let status = ImportStatus::parse(row.try_get("status")?)?;
        let (tenant, id) = (row.try_get("tenant_id")?, row.try_get("id")?);
        Ok(StagedUpload { tenant, id, object_path: row.try_get("object_path")?, status })
    };
    rows.iter().map(decode).collect()
}

fn decode(row: PgRow) -> Result<Import, sqlx::Error> {
    use sqlx::types::Json;
    let unsigned = |column: &str| -> Result<Option<u64>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.and_then(|n| u64::try_from(n).ok()))
    };
    let status = ImportStatus::parse(row.try_get("status")?)?;
    Ok(Import {
        id: row.try_get("id")?,
        file_name: row.try_get("file_name")?,
        object_path: row.try_get("object_path")?,
        staged: row.try_get("staged")?,
        status,
        content_type: row.try_get("content_type")?,
        size_bytes: unsigned("size_bytes")?,
        checksum: row.try_get("checksum")?,
        rows: unsigned("rows")?,
        summary: row.try_get::<Option<Json<ImportSummary>>, _>("summary")?.map(|json| json.0),
        preview: row.try_get::<Option<Json<Preview>>, _>("preview")?.map(|json| json.0),
        error: row.try_get::<Option<Json<ImportError>>, _>("error")?.map(|json| json.0),
        created_by: row.try_get("created_by")?,
        created_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        completed_at: row.try_get::<Option<OffsetDateTime>, _>("completed_at")?.map(Into::into),
    })
}

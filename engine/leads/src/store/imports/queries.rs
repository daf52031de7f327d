//! Reads imports.

use luci_schema::{ImportId, Micros, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{Import, ImportError, ImportStatus, UploadParts};
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

/// What a caller knows of an upload that it wants to continue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenUpload {
    pub file_name: Option<String>,
    pub size_bytes: Option<u64>,
    /// SHA-256, lower hex.
    pub checksum: Option<String>,
}

/// Uploads in parts that were neither completed nor ended, announced after `after`, the newest first.
pub async fn open_uploads(
    c: &mut PgConnection,
    tenant: TenantId,
    wanted: &OpenUpload,
    after: Micros,
    limit: u32,
) -> Result<Vec<Import>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from imports
          where tenant_id = $1 and part_bytes is not null and status = 'pending' and created_at > $2
            and ($3::text is null or file_name = $3) and ($4::bigint is null or size_bytes = $4)
            and ($5::text is null or checksum = $5)
          order by id desc limit $6",
    )
    .bind(tenant)
    .bind(after.date_time())
    .bind(&wanted.file_name)
    .bind(wanted.size_bytes.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
    .bind(&wanted.checksum)
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
    pub in_parts: bool,
}

/// Uploads that were announced before `before`, those in parts before `parts_before`, the oldest first.
pub async fn staged(
    c: &mut PgConnection,
    (before, parts_before): (Micros, Micros),
    limit: u32,
) -> Result<Vec<StagedUpload>, sqlx::Error> {
    let rows = sqlx::query(
        "select tenant_id, id, object_path, status, part_bytes is not null as in_parts from imports
          where staged and staging_removed_at is null
            and created_at < case when part_bytes is null then $1 else $2 end
          order by created_at limit $3",
    )
    .bind(before.date_time())
    .bind(parts_before.date_time())
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    let decode = |row: &PgRow| {
        let status = ImportStatus::parse(row.try_get("status")?)?;
        let (tenant, id) = (row.try_get("tenant_id")?, row.try_get("id")?);
        let (object_path, in_parts) = (row.try_get("object_path")?, row.try_get("in_parts")?);
        Ok(StagedUpload { tenant, id, object_path, status, in_parts })
    };
    rows.iter().map(decode).collect()
}

fn decode(row: PgRow) -> Result<Import, sqlx::Error> {
    use sqlx::types::Json;
    let unsigned = |column: &str| -> Result<Option<u64>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.and_then(|n| u64::try_from(n).ok()))
    };
    let status = ImportStatus::parse(row.try_get("status")?)?;
    let checksums: Option<Vec<Option<String>>> = row.try_get("part_checksums")?;
    Ok(Import {
        id: row.try_get("id")?,
        file_name: row.try_get("file_name")?,
        object_path: row.try_get("object_path")?,
        staged: row.try_get("staged")?,
        parts: unsigned("part_bytes")?
            .map(|part_bytes| UploadParts { part_bytes, checksums: checksums.unwrap_or_default() }),
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

//! Table `imports`: uploaded files, from the upload URL to the counted rows.

use luci_schema::{ImportId, Micros, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::read::{
    layout::Layout,
    preview::Preview,
    upload::{Counted, ImportSummary, UploadError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// An upload URL was issued.
    Pending,
    /// Size, checksum and rows are verified: runs can read it.
    Completed,
    /// Rejected; the object is deleted.
    Rejected,
}

impl ImportStatus {
    fn parse(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "pending" => Ok(Self::Pending),
            "completed" => Ok(Self::Completed),
            "rejected" => Ok(Self::Rejected),
            other => Err(sqlx::Error::Decode(format!("`{other}` is not a status of an import").into())),
        }
    }
}

/// An import as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    pub status: ImportStatus,
    pub content_type: String,
    pub size_bytes: Option<u64>,
    /// SHA-256, lower hex.
    pub checksum: Option<String>,
    pub rows: Option<u64>,
    pub summary: Option<ImportSummary>,
    /// What a person checks before a run; it holds personal data.
    pub preview: Option<Preview>,
    /// Why it was rejected.
    pub error: Option<ImportError>,
    /// `actor:ID` …
    pub created_by: String,
    pub created_at: Micros,
    pub completed_at: Option<Micros>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportError {
    /// `empty_file`, `no_known_column` …
    pub code: String,
    pub message: String,
}

impl From<&UploadError> for ImportError {
    fn from(error: &UploadError) -> Self {
        Self { code: error.code().into(), message: error.to_string() }
    }
}

/// An import to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    pub content_type: String,
    /// Expected size and checksum, when the caller announced them; completing the import replaces both.
    pub size_bytes: Option<u64>,
    pub checksum: Option<String>,
    pub created_by: String,
    pub created_at: Micros,
}

/// Adds a pending import.
pub async fn begin(c: &mut PgConnection, tenant: TenantId, new: &NewImport) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into imports (tenant_id, id, file_name, object_path, content_type, created_by, created_at, size_bytes,
                              checksum)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
    .execute(c)
    .await?;
    Ok(())
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

//! Table `imports`: uploaded files, from the promised upload to the counted rows.

use luci_schema::{ImportId, Micros, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::lead::upload::{ImportSummary, UploadError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// An upload was promised.
    Pending,
    /// Size, checksum and rows are verified: a run can start on it.
    Completed,
    /// Refused and deleted.
    Rejected,
}

/// An import as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    pub status: Status,
    pub content_type: String,
    pub size_bytes: Option<u64>,
    /// SHA-256, lower hex.
    pub checksum: Option<String>,
    pub rows: Option<u64>,
    pub summary: Option<ImportSummary>,
    /// Why it was refused.
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

/// A promised upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    pub id: ImportId,
    pub file_name: String,
    pub object_path: String,
    pub content_type: String,
    /// What the upload must be to be taken, when announced; completing it replaces both by what was found.
    pub size_bytes: Option<u64>,
    pub checksum: Option<String>,
    pub created_by: String,
    pub created_at: Micros,
}

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

/// Marks a pending import as verified; false when it is pending no more.
pub async fn complete(
    c: &mut PgConnection,
    tenant: TenantId,
    id: ImportId,
    checksum: &str,
    summary: &ImportSummary,
    at: Micros,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update imports set status = 'completed', size_bytes = $3, checksum = $4, rows = $5, summary = $6,
                completed_at = $7
          where tenant_id = $1 and id = $2 and status = 'pending'",
    )
    .bind(tenant)
    .bind(id)
    .bind(i64::try_from(summary.size_bytes).unwrap_or(i64::MAX))
    .bind(checksum)
    .bind(i64::try_from(summary.rows).unwrap_or(i64::MAX))
    .bind(sqlx::types::Json(summary))
    .bind(at.date_time())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks an import as complete whose size and checksum were known from the beginning.
pub async fn counted(
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

/// Marks a pending import as refused; false when it is pending no more.
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

/// Imports from the newest on, those behind `before` in that order.
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
    let whole = |column: &str| -> Result<Option<u64>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.and_then(|n| u64::try_from(n).ok()))
    };
    let status = match row.try_get::<&str, _>("status")? {
        "completed" => Status::Completed,
        "rejected" => Status::Rejected,
        // The table admits no fourth word.
        _ => Status::Pending,
    };
    Ok(Import {
        id: row.try_get("id")?,
        file_name: row.try_get("file_name")?,
        object_path: row.try_get("object_path")?,
        status,
        content_type: row.try_get("content_type")?,
        size_bytes: whole("size_bytes")?,
        checksum: row.try_get("checksum")?,
        rows: whole("rows")?,
        summary: row.try_get::<Option<Json<ImportSummary>>, _>("summary")?.map(|json| json.0),
        error: row.try_get::<Option<Json<ImportError>>, _>("error")?.map(|json| json.0),
        created_by: row.try_get("created_by")?,
        created_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        completed_at: row.try_get::<Option<OffsetDateTime>, _>("completed_at")?.map(Into::into),
    })
}

//! Table `uploads`: announced and not yet completed. Completing takes the row away and makes an import.

use luci_schema::{ImportId, Micros, TenantId};
use sqlx::{PgConnection, Row};

/// What the uploaded object must be to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub import_id: ImportId,
    pub file_name: String,
    pub object_path: String,
    pub size_bytes: u64,
    pub content_type: String,
    /// SHA-256 in lower hex, when announced.
    pub checksum: Option<String>,
    pub expires_at: Micros,
}

/// Announces an upload.
pub async fn announce(
    c: &mut PgConnection,
    tenant: TenantId,
    upload: &Upload,
    actor: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into uploads (tenant_id, import_id, file_name, object_path, size_bytes, content_type, checksum,
                              created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(upload.import_id)
    .bind(&upload.file_name)
    .bind(&upload.object_path)
    .bind(i64::try_from(upload.size_bytes).unwrap_or(i64::MAX))
    .bind(&upload.content_type)
    .bind(&upload.checksum)
    .bind(actor)
    .bind(upload.expires_at.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// An announced upload, whether its object is there or not.
pub async fn get(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<Option<Upload>, sqlx::Error> {
    let row = sqlx::query(
        "select import_id, file_name, object_path, size_bytes, content_type, checksum, expires_at
           from uploads where tenant_id = $1 and import_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(c)
    .await?;
    row.map(|row| {
        Ok(Upload {
            import_id: row.try_get(0)?,
            file_name: row.try_get(1)?,
            object_path: row.try_get(2)?,
            size_bytes: u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0),
            content_type: row.try_get(4)?,
            checksum: row.try_get(5)?,
            expires_at: row.try_get::<time::OffsetDateTime, _>(6)?.into(),
        })
    })
    .transpose()
}

/// Takes the announcement away; false when another call was first.
pub async fn take(c: &mut PgConnection, tenant: TenantId, id: ImportId) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query("delete from uploads where tenant_id = $1 and import_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(c)
        .await?;
    Ok(taken.rows_affected() == 1)
}

//! Table `legacy_uploads`: files that clients of the older platform uploaded to a bucket.

use luci_schema::{ImportId, Micros, SectorId, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

use crate::read::contact_stats::ContactStats;

/// Files of a bucket that its status lists.
const LISTED: i64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyUpload {
    /// `upload-{milliseconds}-{9 characters}`
    pub upload_id: String,
    pub import_id: ImportId,
    pub sector_id: SectorId,
    pub file_name: String,
    pub description: Option<String>,
    pub stats: ContactStats,
    /// `actor:ID` …
    pub uploaded_by: String,
    pub uploaded_at: Micros,
}

pub async fn add(c: &mut PgConnection, tenant: TenantId, upload: &LegacyUpload) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into legacy_uploads (tenant_id, upload_id, import_id, sector_id, file_name, description, stats,
                                     uploaded_by, uploaded_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(&upload.upload_id)
    .bind(upload.import_id)
    .bind(upload.sector_id)
    .bind(&upload.file_name)
    .bind(&upload.description)
    .bind(Json(&upload.stats))
    .bind(&upload.uploaded_by)
    .bind(upload.uploaded_at.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// The newest files of a bucket, in the order of their upload.
pub async fn of_sector(
    c: &mut PgConnection,
    tenant: TenantId,
    sector: SectorId,
) -> Result<Vec<LegacyUpload>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from legacy_uploads where tenant_id = $1 and sector_id = $2
          order by uploaded_at desc, upload_id desc limit $3",
    )
    .bind(tenant)
    .bind(sector)
    .bind(LISTED)
    .fetch_all(c)
    .await?;
    rows.iter().rev().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<LegacyUpload, sqlx::Error> {
    Ok(LegacyUpload {
        upload_id: row.try_get("upload_id")?,
        import_id: row.try_get("import_id")?,
        sector_id: row.try_get("sector_id")?,
        file_name: row.try_get("file_name")?,
        description: row.try_get("description")?,
        stats: row.try_get::<Json<ContactStats>, _>("stats")?.0,
        uploaded_by: row.try_get("uploaded_by")?,
        uploaded_at: row.try_get::<OffsetDateTime, _>("uploaded_at")?.into(),
    })
}

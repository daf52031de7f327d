//! Table `property_buckets`: what a bucket of properties has besides the name and the leads of its sector.

use luci_schema::{Micros, SectorId, TenantId};
use serde_json::Value;
use sqlx::{PgConnection, Row, postgres::PgRow, types::Json};
use time::OffsetDateTime;

#[derive(Debug, Clone, PartialEq)]
pub struct PropertyBucket {
    pub sector_id: SectorId,
    pub description: Option<String>,
    /// As the client sent it.
    pub filters: Value,
    pub signals: Option<Value>,
    /// `actor:ID` …
    pub created_by: String,
    pub created_at: Micros,
    pub updated_at: Micros,
}

pub async fn add(c: &mut PgConnection, tenant: TenantId, bucket: &PropertyBucket) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into property_buckets (tenant_id, sector_id, description, filters, signals, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(tenant)
    .bind(bucket.sector_id)
    .bind(&bucket.description)
    .bind(Json(&bucket.filters))
    .bind(bucket.signals.as_ref().map(Json))
    .bind(&bucket.created_by)
    .bind(bucket.created_at.date_time())
    .execute(c)
    .await?;
    Ok(())
}

/// Updates description, filters and signals.
pub async fn update(c: &mut PgConnection, tenant: TenantId, bucket: &PropertyBucket) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update property_buckets set description = $3, filters = $4, signals = $5, updated_at = now()
          where tenant_id = $1 and sector_id = $2",
    )
    .bind(tenant)
    .bind(bucket.sector_id)
    .bind(&bucket.description)
    .bind(Json(&bucket.filters))
    .bind(bucket.signals.as_ref().map(Json))
    .execute(c)
    .await?;
    Ok(())
}

/// Hides a bucket; false when there is none.
pub async fn remove(c: &mut PgConnection, tenant: TenantId, sector: SectorId) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query(
        "update property_buckets set deleted_at = now() where tenant_id = $1 and sector_id = $2 and deleted_at is null",
    )
    .bind(tenant)
    .bind(sector)
    .execute(c)
    .await?;
    Ok(removed.rows_affected() == 1)
}

/// One bucket; locked until the transaction ends.
pub async fn lock(
    c: &mut PgConnection,
    tenant: TenantId,
    sector: SectorId,
) -> Result<Option<PropertyBucket>, sqlx::Error> {
    let row = sqlx::query(
        "select * from property_buckets where tenant_id = $1 and sector_id = $2 and deleted_at is null for update",
    )
    .bind(tenant)
    .bind(sector)
    .fetch_optional(c)
    .await?;
    row.as_ref().map(decode).transpose()
}

/// Buckets, the newest first; only the one of a sector, if one is named.
pub async fn list(
    c: &mut PgConnection,
    tenant: TenantId,
    sector: Option<SectorId>,
    limit: u32,
) -> Result<Vec<PropertyBucket>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from property_buckets where tenant_id = $1 and ($2::text is null or sector_id = $2) and deleted_at is null
          order by sector_id desc limit $3",
    )
    .bind(tenant)
    .bind(sector)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<PropertyBucket, sqlx::Error> {
    Ok(PropertyBucket {
        sector_id: row.try_get("sector_id")?,
        description: row.try_get("description")?,
        filters: row.try_get::<Json<Value>, _>("filters")?.0,
        signals: row.try_get::<Option<Json<Value>>, _>("signals")?.map(|json| json.0),
        created_by: row.try_get("created_by")?,
        created_at: row.try_get::<OffsetDateTime, _>("created_at")?.into(),
        updated_at: row.try_get::<OffsetDateTime, _>("updated_at")?.into(),
    })
}

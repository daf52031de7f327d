//! Table `legacy_objects`: objects of the older platform that were migrated, and where the copy of each is.

use std::collections::HashMap;

use luci_schema::{Micros, ObjectDigest, TenantId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

/// A migrated object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyObject {
    pub legacy_key: String,
    /// The key of the copy; `None`: a table has what it said.
    pub object_path: Option<String>,
    /// Of the old object, and of the copy.
    pub digest: ObjectDigest,
    /// When the copy was verified.
    pub copied_at: Micros,
}

/// Records migrated objects. An object that changed since it was migrated is recorded again, with its new copy.
pub async fn record(c: &mut PgConnection, tenant: TenantId, objects: &[LegacyObject]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into legacy_objects (tenant_id, legacy_key, object_path, checksum, size_bytes, copied_at)
         select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
         on conflict (tenant_id, legacy_key) do update
            set object_path = excluded.object_path, checksum = excluded.checksum, size_bytes = excluded.size_bytes,
                copied_at = excluded.copied_at",
    )
    .bind(tenant)
    .bind(objects.iter().map(|object| object.legacy_key.as_str()).collect::<Vec<_>>())
    .bind(objects.iter().map(|object| object.object_path.as_deref()).collect::<Vec<_>>())
    .bind(objects.iter().map(|object| object.digest.checksum.as_str()).collect::<Vec<_>>())
    .bind(objects.iter().map(|object| i64::try_from(object.digest.size_bytes).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(objects.iter().map(|object| object.copied_at.date_time()).collect::<Vec<_>>())
    .execute(c)
    .await?;
    Ok(())
}

/// Those of the keys that were migrated, by key.
pub async fn among(
    c: &mut PgConnection,
    tenant: TenantId,
    keys: &[&str],
) -> Result<HashMap<String, LegacyObject>, sqlx::Error> {
    let rows = sqlx::query(
        "select * from legacy_objects where tenant_id = $1 and legacy_key = any($2) and copied_at is not null",
    )
    .bind(tenant)
    .bind(keys)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| decode(row).map(|object| (object.legacy_key.clone(), object))).collect()
}

/// The object that was copied to this key.
pub async fn of_copy(
    c: &mut PgConnection,
    tenant: TenantId,
    object_path: &str,
) -> Result<Option<LegacyObject>, sqlx::Error> {
    sqlx::query(
        "select * from legacy_objects where tenant_id = $1 and object_path = $2 and copied_at is not null limit 1",
    )
    .bind(tenant)
    .bind(object_path)
    .fetch_optional(c)
    .await?
    .as_ref()
    .map(decode)
    .transpose()
}

fn decode(row: &PgRow) -> Result<LegacyObject, sqlx::Error> {
    let size: Option<i64> = row.try_get("size_bytes")?;
    let checksum: Option<String> = row.try_get("checksum")?;
    Ok(LegacyObject {
        legacy_key: row.try_get("legacy_key")?,
        object_path: row.try_get("object_path")?,
        digest: ObjectDigest {
            size_bytes: size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            checksum: checksum.unwrap_or_default(),
        },
        copied_at: row.try_get::<OffsetDateTime, _>("copied_at")?.into(),
    })
}

//! Table `object_versions`: recorded objects that are no longer stored as they were recorded. An erasure replaced them by a
//! version without the person, or retention ended them. The digest that the log recorded stays in the log.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::{Micros, ObjectDigest, TenantId, event::ErasedObject};

/// What became of a recorded object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    pub object_path: String,
    pub erased_at: Option<Micros>,
    pub expired_at: Option<Micros>,
    /// Where the version without the erased people is; `None` when nothing was kept.
    pub now: Option<(String, ObjectDigest)>,
}

/// What became of the object; `None`: it is stored as recorded.
pub async fn of(
    c: &mut PgConnection,
    tenant: TenantId,
    object_path: &str,
) -> Result<Option<ObjectVersion>, sqlx::Error> {
    Ok(among(c, tenant, &[object_path]).await?.remove(object_path))
}

/// What became of these objects, by path; the others are stored as recorded.
pub async fn among(
    c: &mut PgConnection,
    tenant: TenantId,
    object_paths: &[&str],
) -> Result<HashMap<String, ObjectVersion>, sqlx::Error> {
    let rows = sqlx::query(
        "select object_path, erased_at, expired_at, now_path, now_size_bytes, now_checksum from object_versions
          where tenant_id = $1 and object_path = any($2)",
    )
    .bind(tenant)
    .bind(object_paths)
    .fetch_all(c)
    .await?;
    rows.iter().map(|row| read(row).map(|version| (version.object_path.clone(), version))).collect()
}

/// Paths below `prefix` that replaced a recorded object: no event of a run names them.
pub async fn replacements(c: &mut PgConnection, tenant: TenantId, prefix: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select now_path from object_versions where tenant_id = $1 and starts_with(now_path, $2)")
        .bind(tenant)
        .bind(prefix)
        .fetch_all(c)
        .await
}

/// Records what replaced an object. What it had replaced itself is now replaced by the same.
pub async fn erased(c: &mut PgConnection, tenant: TenantId, object: &ErasedObject) -> Result<(), sqlx::Error> {
    let now = object.now.as_ref();
    let size = now.map(|now| i64::try_from(now.digest.size_bytes).unwrap_or(i64::MAX));
    sqlx::query(
        "with replaced as (
             update object_versions set now_path = $3, now_size_bytes = $4, now_checksum = $5, erased_at = now()
              where tenant_id = $1 and now_path = $2 and object_path <> $2)
         insert into object_versions (tenant_id, object_path, now_path, now_size_bytes, now_checksum, erased_at)
         values ($1, $2, $3, $4, $5, now())
         on conflict (tenant_id, object_path) do update
            set now_path = excluded.now_path, now_size_bytes = excluded.now_size_bytes,
                now_checksum = excluded.now_checksum, erased_at = excluded.erased_at",
    )
    .bind(tenant)
    .bind(&object.object_path)
    .bind(now.map(|now| now.object_path.as_str()))
    .bind(size)
    .bind(now.map(|now| now.digest.checksum.as_str()))
    .execute(c)
    .await?;
    Ok(())
}

/// Records that retention removes objects, and whatever replaced them. Returns the paths of all that is to be removed.
pub async fn expired(
    c: &mut PgConnection,
    tenant: TenantId,
    object_paths: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    let replaced: Vec<Option<String>> = sqlx::query_scalar(
        "insert into object_versions as own (tenant_id, object_path, expired_at)
         select $1, unnest($2::text[]), now()
         on conflict (tenant_id, object_path) do update set expired_at = coalesce(own.expired_at, now())
         returning now_path",
    )
    .bind(tenant)
    .bind(object_paths)
    .fetch_all(&mut *c)
    .await?;
    let gone: Vec<String> = object_paths.iter().cloned().chain(replaced.into_iter().flatten()).collect();
    // What one of them replaced is gone with it.
    sqlx::query(
        "update object_versions set expired_at = coalesce(expired_at, now()) where tenant_id = $1 and now_path = any($2)",
    )
    .bind(tenant)
    .bind(&gone)
    .execute(c)
    .await?;
    Ok(gone)
}

fn read(row: &PgRow) -> Result<ObjectVersion, sqlx::Error> {
    let at = |column: &str| row.try_get::<Option<OffsetDateTime>, _>(column).map(|at| at.map(Micros::from));
    let size: Option<i64> = row.try_get("now_size_bytes")?;
    let (path, checksum): (Option<String>, Option<String>) = (row.try_get("now_path")?, row.try_get("now_checksum")?);
    let now = path.zip(size).zip(checksum).map(|((path, size), checksum)| {
        (path, ObjectDigest { size_bytes: u64::try_from(size).unwrap_or(0), checksum })
    });
    Ok(ObjectVersion {
        object_path: row.try_get("object_path")?,
        erased_at: at("erased_at")?,
        expired_at: at("expired_at")?,
        now,
    })
}

//! Table `sector_lists`: size and SHA-256 of each list that ASSIGN keeps in the store.

use luci_schema::{ObjectDigest, TenantId};
use sqlx::PgConnection;

/// What was last written under a path.
pub async fn digest(c: &mut PgConnection, tenant: TenantId, path: &str) -> Result<Option<ObjectDigest>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("select size_bytes, checksum from sector_lists where tenant_id = $1 and object_path = $2")
            .bind(tenant)
            .bind(path)
            .fetch_optional(c)
            .await?;
    Ok(row.map(|(size, checksum)| ObjectDigest { size_bytes: size.unsigned_abs(), checksum }))
}

/// Records what was written under each of the paths.
pub async fn record(
    c: &mut PgConnection,
    tenant: TenantId,
    paths: &[String],
    digest: &ObjectDigest,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sector_lists (tenant_id, object_path, size_bytes, checksum)
         select $1, unnest($2::text[]), $3, $4
         on conflict (tenant_id, object_path) do update
         set size_bytes = excluded.size_bytes, checksum = excluded.checksum",
    )
    .bind(tenant)
    .bind(paths)
    .bind(i64::try_from(digest.size_bytes).unwrap_or(i64::MAX))
    .bind(&digest.checksum)
    .execute(c)
    .await?;
    Ok(())
}

/// Up to `limit` lists of all tenants after a path, in order of their paths, which begin with their tenants.
pub async fn after(c: &mut PgConnection, path: &str, limit: i64) -> Result<Vec<(String, ObjectDigest)>, sqlx::Error> {
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "select object_path, size_bytes, checksum from sector_lists
          where object_path > $1 order by object_path limit $2",
    )
    .bind(path)
    .bind(limit)
    .fetch_all(c)
    .await?;
    let digest = |size: i64, checksum| ObjectDigest { size_bytes: size.unsigned_abs(), checksum };
    Ok(rows.into_iter().map(|(path, size, checksum)| (path, digest(size, checksum))).collect())
}

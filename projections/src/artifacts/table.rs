//! Table `artifacts`: rows read and written. The name is unqualified: `search_path` says which version is meant.

use luci_schema::{ArtifactId, BlockId, RunId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;

use crate::column::{bigint, column, count, text_of};

/// A row of `artifacts`, and an artifact as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    pub artifact_id: ArtifactId,
    #[serde(skip, default = "no_tenant")]
    pub tenant_id: TenantId,
    pub run_id: RunId,
    /// Absent for artifacts that no block made.
    pub block_id: Option<BlockId>,
    pub artifact_type: String,
    pub object_path: String,
    pub mime_type: String,
    pub size_bytes: u64,
    /// SHA-256, lower hex.
    pub checksum: String,
    /// 1, 2 … within its block and type.
    pub version: i32,
    pub superseded_by: Option<ArtifactId>,
    pub parent_artifact_ids: Vec<ArtifactId>,
    /// `{"leads": 250, "stage": "enrich"}`
    pub metadata: serde_json::Value,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When retention removed the object; row and checksum stay.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expired_at: Option<OffsetDateTime>,
}

/// An artifact that is read from its own form takes its tenant from its run.
fn no_tenant() -> TenantId {
    TenantId::from_ulid(Default::default())
}

impl sqlx::FromRow<'_, PgRow> for Artifact {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            artifact_id: row.try_get("artifact_id")?,
            tenant_id: row.try_get("tenant_id")?,
            run_id: row.try_get("run_id")?,
            block_id: row.try_get("block_id")?,
            artifact_type: row.try_get("artifact_type")?,
            object_path: row.try_get("object_path")?,
            mime_type: row.try_get("mime_type")?,
            size_bytes: count(row, "size_bytes")?,
            checksum: row.try_get("checksum")?,
            version: row.try_get("version")?,
            superseded_by: row.try_get("superseded_by")?,
            parent_artifact_ids: row.try_get("parent_artifact_ids")?,
            metadata: row.try_get("metadata")?,
            created_at: row.try_get("created_at")?,
            expired_at: row.try_get("expired_at")?,
        })
    }
}

/// Writes new rows, each once. Ids of parents travel as one comma-separated text: arrays of arrays must be rectangular.
pub(super) async fn write(c: &mut PgConnection, rows: &[Artifact]) -> Result<(), sqlx::Error> {
    let parents =
        |row: &Artifact| row.parent_artifact_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let metadata = rows.iter().map(|row| text_of(&row.metadata)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "insert into artifacts (artifact_id, tenant_id, run_id, block_id, artifact_type, object_path, mime_type, size_bytes,
           checksum, version, superseded_by, parent_artifact_ids, metadata, created_at, expired_at)
         select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
           unnest($6::text[]), unnest($7::text[]), unnest($8::bigint[]), unnest($9::text[]), unnest($10::int[]),
           unnest($11::text[]), string_to_array(unnest($12::text[]), ','), unnest($13::text[])::json,
           unnest($14::timestamptz[]), unnest($15::timestamptz[])
         on conflict (artifact_id) do update set block_id = excluded.block_id, object_path = excluded.object_path,
           size_bytes = excluded.size_bytes, checksum = excluded.checksum, version = excluded.version,
           parent_artifact_ids = excluded.parent_artifact_ids, metadata = excluded.metadata, created_at = excluded.created_at",
    )
    .bind(column!(rows, |a| a.artifact_id))
    .bind(column!(rows, |a| a.tenant_id))
    .bind(column!(rows, |a| a.run_id))
    .bind(column!(rows, |a| a.block_id))
    .bind(column!(rows, |a| a.artifact_type.as_str()))
    .bind(column!(rows, |a| a.object_path.as_str()))
    .bind(column!(rows, |a| a.mime_type.as_str()))
    .bind(column!(rows, |a| bigint(a.size_bytes)))
    .bind(column!(rows, |a| a.checksum.as_str()))
    .bind(column!(rows, |a| a.version))
    .bind(column!(rows, |a| a.superseded_by))
    .bind(column!(rows, |a| parents(a)))
    .bind(metadata)
    .bind(column!(rows, |a| a.created_at))
    .bind(column!(rows, |a| a.expired_at))
    .execute(c)
    .await?;
    Ok(())
}

/// Marks older artifacts, written before, as superseded: `(older, newer)`.
pub(super) async fn supersede(c: &mut PgConnection, pairs: &[(ArtifactId, ArtifactId)]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update artifacts set superseded_by = pairs.newer
         from unnest($1::text[], $2::text[]) as pairs (older, newer) where artifact_id = pairs.older",
    )
    .bind(column!(pairs, |pair| pair.0))
    .bind(column!(pairs, |pair| pair.1))
    .execute(c)
    .await?;
    Ok(())
}

/// A page of a run's artifacts below `before`, newest first.
pub(super) async fn below(
    c: &mut PgConnection,
    (tenant, run): (TenantId, RunId),
    artifact_type: Option<&str>,
    before: Option<ArtifactId>,
    limit: i64,
) -> Result<Vec<Artifact>, sqlx::Error> {
    sqlx::query_as(
        "select * from artifacts where tenant_id = $1 and run_id = $2 and artifact_id < coalesce($3, 'b')
           and ($4::text is null or artifact_type = $4)
         order by artifact_id desc limit $5",
    )
    .bind(tenant)
    .bind(run)
    .bind(before)
    .bind(artifact_type)
    .bind(limit)
    .fetch_all(c)
    .await
}

pub(super) async fn find(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    artifact: ArtifactId,
) -> Result<Option<Artifact>, sqlx::Error> {
    sqlx::query_as("select * from artifacts where tenant_id = $1 and run_id = $2 and artifact_id = $3")
        .bind(tenant)
        .bind(run)
        .bind(artifact)
        .fetch_optional(c)
        .await
}

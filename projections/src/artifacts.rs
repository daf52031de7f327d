//! Projection `artifacts`: one row an object that a run made. Objects are immutable; a newer one of the same block and
//! type supersedes the older.

use luci_schema::{ArtifactId, BlockId, Position, Recorded, RunId, TenantId, event::Artifact as Made};
use serde::Serialize;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;

use crate::{
    Projection, QuestionError,
    column::{big, column, count, text_of},
    cursor, position, projection,
};

pub(crate) const PROJECTION: Projection = projection!("artifacts", "artifact_id");

/// Artifacts a page at most; also what a page has when `limit` is 0.
const PAGE: u32 = 100;

/// A row of `artifacts`, and an artifact as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    pub artifact_id: ArtifactId,
    #[serde(skip)]
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

impl Artifact {
    pub(crate) fn made(run_id: RunId, block_id: Option<BlockId>, version: i32, r: &Recorded, made: &Made) -> Self {
        let mut metadata = serde_json::json!({ "leads": made.leads });
        if let Some(stage) = r.event.stage() {
            metadata["stage"] = stage.as_str().into();
        }
        Self {
            artifact_id: made.artifact_id,
            tenant_id: r.tenant_id,
            run_id,
            block_id,
            artifact_type: made.artifact_type.clone(),
            object_path: made.object_path.clone(),
            mime_type: made.mime_type.clone(),
            size_bytes: made.size_bytes,
            checksum: made.checksum.clone(),
            version,
            superseded_by: None,
            parent_artifact_ids: made.parent_artifact_ids.clone(),
            metadata,
            created_at: r.recorded_at.date_time(),
            expired_at: None,
        }
    }
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
pub(crate) async fn write(c: &mut PgConnection, rows: &[Artifact]) -> Result<(), sqlx::Error> {
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
    .bind(column!(rows, |a| big(a.size_bytes)))
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
pub(crate) async fn supersede(c: &mut PgConnection, pairs: &[(ArtifactId, ArtifactId)]) -> Result<(), sqlx::Error> {
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

#[derive(Debug, Clone, Default)]
pub struct ArtifactFilter {
    /// `failed`, `enriched` …
    pub artifact_type: Option<String>,
    pub cursor: Option<String>,
    /// 1..=100; 0 means 100.
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactPage {
    pub artifacts: Vec<Artifact>,
    pub has_more: bool,
    pub next_cursor: Option<String>,
    pub position: Position,
}

/// Artifacts of one run, newest first. An unknown run, or one of another tenant, has none.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    filter: &ArtifactFilter,
) -> Result<ArtifactPage, QuestionError> {
    let before = match filter.cursor.as_deref().map(cursor::read::<(String, ArtifactId)>).transpose()? {
        Some((list, artifact)) if list == "artifacts" => Some(artifact),
        Some(_) => return Err(cursor::BadCursor.into()),
        None => None,
    };
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) };
    let position = position::current(c).await?;
    let mut artifacts: Vec<Artifact> = sqlx::query_as(
        "select * from artifacts where tenant_id = $1 and run_id = $2 and artifact_id < coalesce($3, 'b')
           and ($4::text is null or artifact_type = $4)
         order by artifact_id desc limit $5",
    )
    .bind(tenant)
    .bind(run)
    .bind(before)
    .bind(filter.artifact_type.as_deref())
    .bind(i64::from(limit) + 1)
    .fetch_all(c)
    .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = artifacts.len() > limit;
    artifacts.truncate(limit);
    let last = artifacts.last().filter(|_| has_more);
    let next_cursor = last.and_then(|artifact| cursor::write(&("artifacts", artifact.artifact_id)));
    Ok(ArtifactPage { artifacts, has_more, next_cursor, position })
}

/// One artifact of a run.
pub async fn get(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    artifact: ArtifactId,
) -> Result<Option<Artifact>, QuestionError> {
    let found = sqlx::query_as("select * from artifacts where tenant_id = $1 and run_id = $2 and artifact_id = $3")
        .bind(tenant)
        .bind(run)
        .bind(artifact)
        .fetch_optional(c)
        .await?;
    Ok(found)
}

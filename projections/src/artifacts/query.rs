//! Queries on the artifacts of a run: a page of them, or one.

use luci_schema::{ArtifactId, Position, RunId, TenantId};
use serde::Serialize;
use sqlx::PgConnection;

use super::{Artifact, table};
use crate::{cursor, position, query_error::QuestionError};

/// Most artifacts of a page; also the default.
const PAGE: u32 = 100;

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

/// A page of a run's artifacts, newest first. A run that does not exist, or is another tenant's, has none.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    filter: &ArtifactFilter,
) -> Result<ArtifactPage, QuestionError> {
    let before = cursor::read_key("artifacts", filter.cursor.as_deref())?;
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) };
    let position = position::current(c).await?;
    let of_type = filter.artifact_type.as_deref();
    let mut artifacts = table::below(c, (tenant, run), of_type, before, i64::from(limit) + 1).await?;
    let (has_more, next_cursor) = cursor::cut(&mut artifacts, limit, |last| ("artifacts", last.artifact_id));
    Ok(ArtifactPage { artifacts, has_more, next_cursor, position })
}

/// One artifact of a run. `None`: no such artifact of this run and tenant.
pub async fn get(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    artifact: ArtifactId,
) -> Result<Option<Artifact>, QuestionError> {
    Ok(table::find(c, tenant, run, artifact).await?)
}

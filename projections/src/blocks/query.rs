//! Pages of a run's blocks, newest first.

use luci_schema::{Position, RunId, Stage, TenantId};
use serde::Serialize;
use sqlx::PgConnection;

use super::{Block, table};
use crate::{cursor, numbers, position, query_error::QuestionError, status::BlockStatus};

/// Most blocks of a page; also the default.
const PAGE: u32 = 100;

#[derive(Debug, Clone, Default)]
pub struct BlockFilter {
    pub stage: Option<Stage>,
    pub status: Option<BlockStatus>,
    pub cursor: Option<String>,
    /// 1..=100; 0 means 100.
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockPage {
    pub blocks: Vec<Block>,
    pub has_more: bool,
    pub next_cursor: Option<String>,
    pub position: Position,
}

/// A page of a run's blocks, newest first. A run that does not exist, or is another tenant's, has none.
pub async fn page(
    c: &mut PgConnection,
    tenant: TenantId,
    run: RunId,
    filter: &BlockFilter,
) -> Result<BlockPage, QuestionError> {
    let before = cursor::read_key("blocks", filter.cursor.as_deref())?.unwrap_or(i32::MAX);
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) };
    let position = position::current(c).await?;
    let status = filter.status.map(BlockStatus::as_str);
    let mut rows = table::below(c, tenant, run, filter.stage, status, before, i64::from(limit) + 1).await?;
    let (has_more, next_cursor) = cursor::cut(&mut rows, limit, |last| ("blocks", last.sequence));
    let now = numbers::now();
    let blocks = rows.into_iter().map(|row| Block::new(row, now)).collect();
    Ok(BlockPage { blocks, has_more, next_cursor, position })
}

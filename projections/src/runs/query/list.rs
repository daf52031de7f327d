//! The list of runs: filtered, sorted, counted and paged, each by an index.

use luci_schema::{Position, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, QueryBuilder};

use super::{
    Run, RunFilter,
    list_sql::{self, PageEnd, page_end, sort_name},
};
use crate::{
    counters::{self, RunCounts},
    cursor::{self, BadCursor},
    numbers, position,
    query_error::QuestionError,
    run_state::RunRow,
    status::RunStatus,
};

/// Limit of exact totals, of offsets, and of sorts without an index.
pub(super) const MOST: u32 = 10_000;
const PAGE: u32 = 50;
const PAGE_MOST: u32 = 200;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// Exact up to 10,000.
    pub total: u64,
    /// More than `total` match.
    pub total_capped: bool,
    pub has_more: bool,
    pub next_cursor: Option<String>,
    /// All of the tenant's runs by status, without the filter.
    pub counts: RunCounts,
    pub position: Position,
}

/// A page of the tenant's runs, without deleted ones.
pub async fn list(c: &mut PgConnection, tenant: TenantId, filter: &RunFilter) -> Result<RunPage, QuestionError> {
    if filter.offset > MOST {
        return Err(QuestionError::Offset { most: MOST });
    }
    let after = filter.cursor.as_deref().map(cursor::read::<PageEnd>).transpose()?;
    if after.as_ref().is_some_and(|after| after.sort != sort_name(filter)) {
        return Err(BadCursor.into());
    }
    let position = position::current(c).await?;
    let counts = counters::get(c, tenant).await?;
    let found = matches(c, tenant, filter, &counts).await?;
    let capped = found > u64::from(MOST);
    if capped && !filter.sort.column.indexed() {
        return Err(QuestionError::TooManyToSort { most: MOST });
    }
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE_MOST) };
    let mut query = QueryBuilder::new("");
    list_sql::page(&mut query, tenant, filter, after.as_ref(), capped)?;
    query.push(" limit ").push_bind(i64::from(limit) + 1);
    if after.is_none() {
        query.push(" offset ").push_bind(i64::from(filter.offset));
    }
    // No prepared statement: only a plan made for these values picks the right index.
    let mut rows: Vec<RunRow> = query.build_query_as().persistent(false).fetch_all(c).await?;
    let (has_more, next_cursor) = cursor::cut(&mut rows, limit, |last| page_end(filter, last));
    let now = numbers::now();
    let runs = rows.into_iter().map(|row| Run::new(row, Some(&counts), now)).collect();
    Ok(RunPage {
        runs,
        total: found.min(u64::from(MOST)),
        total_capped: capped,
        has_more,
        next_cursor,
        counts,
        position,
    })
}

/// How many runs match, at most `MOST` + 1.
async fn matches(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &RunFilter,
    counts: &RunCounts,
) -> Result<u64, QuestionError> {
    if !list_sql::narrowed(filter) {
        let statuses = RunStatus::ALL.into_iter().filter(|s| filter.status.is_empty() || filter.status.contains(s));
        return Ok(statuses.map(|status| counts.of(status)).sum());
    }
    let mut query = QueryBuilder::new("");
    list_sql::count(&mut query, tenant, filter);
    let found: i64 = query.build_query_scalar().persistent(false).fetch_one(c).await?;
    Ok(u64::try_from(found).unwrap_or(0))
}

/// Postgres' plans for the queries of a list: the count, unless the counters hold it, and the first page.
pub async fn explain(c: &mut PgConnection, tenant: TenantId, filter: &RunFilter) -> Result<Vec<String>, QuestionError> {
    let counts = counters::get(c, tenant).await?;
    let capped = matches(c, tenant, filter, &counts).await? > u64::from(MOST);
    let mut queries = Vec::new();
    if list_sql::narrowed(filter) {
        let mut count = QueryBuilder::new("explain ");
        list_sql::count(&mut count, tenant, filter);
        queries.push(count);
    }
    let mut page = QueryBuilder::new("explain ");
    list_sql::page(&mut page, tenant, filter, None, capped)?;
    page.push(" limit ").push_bind(i64::from(PAGE) + 1);
    queries.push(page);
    let mut plans = Vec::new();
    for mut query in queries {
        let lines: Vec<String> = query.build_query_scalar().persistent(false).fetch_all(&mut *c).await?;
        plans.push(lines.join("\n"));
    }
    Ok(plans)
}

//! The list of runs: filtered, sorted, counted and paged, each by an index.

use luci_schema::{Position, TenantId};
use serde::Serialize;
use sqlx::{PgConnection, QueryBuilder};

use super::{
    Run, RunFilter, RunRow,
    query::{self, Mark, mark_of, sort_name},
};
use crate::{
    QuestionError,
    counters::{self, RunCounts},
    cursor::{self, BadCursor},
    position, shape,
    status::RunStatus,
};

/// Totals are exact up to here, offsets and sorts without an index go up to here.
pub(super) const MOST: u32 = 10_000;
const PAGE: u32 = 50;
const PAGE_MOST: u32 = 200;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// Exact up to 10,000.
    pub total: u64,
    /// There are more than `total`.
    pub total_capped: bool,
    pub has_more: bool,
    pub next_cursor: Option<String>,
    /// The tenant's runs by status, whatever the filter.
    pub counts: RunCounts,
    pub position: Position,
}

/// A page of the tenant's runs. Deleted ones are not in it.
pub async fn list(c: &mut PgConnection, tenant: TenantId, filter: &RunFilter) -> Result<RunPage, QuestionError> {
    if filter.offset > MOST {
        return Err(QuestionError::Offset { most: MOST });
    }
    let mark = filter.cursor.as_deref().map(cursor::read::<Mark>).transpose()?;
    if mark.as_ref().is_some_and(|mark| mark.sort != sort_name(filter)) {
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
    query::page(&mut query, tenant, filter, mark.as_ref(), capped)?;
    query.push(" limit ").push_bind(i64::from(limit) + 1);
    if mark.is_none() {
        query.push(" offset ").push_bind(i64::from(filter.offset));
    }
    // Not kept as a named statement: a plan made for the values at hand is what picks the right index.
    let mut rows: Vec<RunRow> = query.build_query_as().persistent(false).fetch_all(c).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).and_then(|row| cursor::write(&mark_of(filter, row)));
    let now = shape::now();
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

/// How many runs match, counted up to one beyond the most.
async fn matches(
    c: &mut PgConnection,
    tenant: TenantId,
    filter: &RunFilter,
    counts: &RunCounts,
) -> Result<u64, QuestionError> {
    if !query::narrowed(filter) {
        let wanted = RunStatus::ALL.into_iter().filter(|s| filter.status.is_empty() || filter.status.contains(s));
        return Ok(wanted.map(|status| counts.of(status)).sum());
    }
    let mut query = QueryBuilder::new("");
    query::count(&mut query, tenant, filter);
    let found: i64 = query.build_query_scalar().persistent(false).fetch_one(c).await?;
    Ok(u64::try_from(found).unwrap_or(0))
}

/// How Postgres goes about a list's queries, as text: the count, unless the counters know it, and the first page.
pub async fn explain(c: &mut PgConnection, tenant: TenantId, filter: &RunFilter) -> Result<Vec<String>, QuestionError> {
    let counts = counters::get(c, tenant).await?;
    let capped = matches(c, tenant, filter, &counts).await? > u64::from(MOST);
    let mut queries = Vec::new();
    if query::narrowed(filter) {
        let mut count = QueryBuilder::new("explain ");
        query::count(&mut count, tenant, filter);
        queries.push(count);
    }
    let mut page = QueryBuilder::new("explain ");
    query::page(&mut page, tenant, filter, None, capped)?;
    page.push(" limit ").push_bind(i64::from(PAGE) + 1);
    queries.push(page);
    let mut plans = Vec::new();
    for mut query in queries {
        let lines: Vec<String> = query.build_query_scalar().persistent(false).fetch_all(&mut *c).await?;
        plans.push(lines.join("\n"));
    }
    Ok(plans)
}

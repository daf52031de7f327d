//! The SQL of the list of runs, assembled from fixed fragments; every value is bound.

use luci_schema::{RunId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use time::OffsetDateTime;

use super::{RunFilter, SortColumn, list::MOST};
use crate::{cursor::BadCursor, run_state::RunRow};

/// The last row of a page, as the cursor holds it: the sort, the row's key in it (absent: not started, not ended), its id.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PageEnd {
    pub(super) sort: String,
    key: Option<String>,
    /// Second key, of the sort by status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<i64>,
    run: RunId,
}

/// Whether the filter is more than a status, so that `run_counters` does not hold how many match.
pub(super) fn narrowed(filter: &RunFilter) -> bool {
    let sectors = filter.sector_id.is_some() || !filter.exclude_sector_id.is_empty();
    sectors || filter.from.is_some() || filter.to.is_some() || prefix(filter).is_some()
}

/// How many match, at most `MOST` + 1.
pub(super) fn count(query: &mut QueryBuilder<Postgres>, tenant: TenantId, filter: &RunFilter) {
    query.push("select count(*) from (");
    match prefix(filter) {
        Some(prefix) => push_prefix_branches(query, tenant, filter, &prefix),
        None => {
            query.push("select from pipeline_runs where ");
            push_conditions(query, tenant, filter);
            // The order of an index: without it the planner may prefer a scan of the whole table.
            query.push(" order by ").push(filter.date_field.column()).push(" limit ").push_bind(i64::from(MOST) + 1);
        }
    }
    query.push(") as found");
}

/// The rows of a page, without the limit. `capped`: more than `MOST` match, so that a prefix is common.
pub(super) fn page(
    query: &mut QueryBuilder<Postgres>,
    tenant: TenantId,
    filter: &RunFilter,
    after: Option<&PageEnd>,
    capped: bool,
) -> Result<(), BadCursor> {
    query.push("select * from pipeline_runs where ");
    push_conditions(query, tenant, filter);
    if let Some(prefix) = prefix(filter) {
        if capped {
            // A scan of the sort's index soon fills a page.
            push_prefix(query, &prefix);
        } else {
            query.push(" and run_id in (");
            push_prefix_branches(query, tenant, filter, &prefix);
            query.push(")");
        }
    }
    let (column, descending) = (filter.sort.column, filter.sort.descending);
    if let Some(after) = after {
        push_after(query, column, descending, after)?;
    }
    let direction = if descending { " desc" } else { "" };
    query.push(" order by ").push(column.column()).push(direction);
    if column == SortColumn::Status {
        query.push(", created_at").push(direction);
    }
    query.push(", run_id").push(direction);
    Ok(())
}

fn push_conditions(query: &mut QueryBuilder<Postgres>, tenant: TenantId, filter: &RunFilter) {
    query.push("tenant_id = ").push_bind(tenant).push(" and deleted_at is null");
    match filter.status.as_slice() {
        [] => {}
        [one] => {
            query.push(" and status = ").push_bind(one.as_str());
        }
        many => {
            let statuses: Vec<&str> = many.iter().map(|status| status.as_str()).collect();
            query.push(" and status = any(").push_bind(statuses).push(")");
        }
    }
    if let Some(sector) = filter.sector_id {
        query.push(" and sector_id = ").push_bind(sector);
    }
    if !filter.exclude_sector_id.is_empty() {
        let excluded: Vec<String> = filter.exclude_sector_id.iter().map(ToString::to_string).collect();
        query.push(" and (sector_id is null or sector_id <> all(").push_bind(excluded).push("))");
    }
    if filter.from.is_some() || filter.to.is_some() {
        query.push(" and ").push(filter.date_field.column()).push(" < 'infinity'");
    }
    for (bound, sign) in [(filter.from, " >= "), (filter.to, " < ")] {
        if let Some(at) = bound {
            query.push(" and ").push(filter.date_field.column()).push(sign).push_bind(at);
        }
    }
}

/// The key of a name, as the generated columns `name_key` and `sector_key` have it: `lower` under collation "C", which changes
/// ASCII letters alone. A key made in another way would lose rows between two pages.
fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The prefix to search, as a key; none when `q` is empty.
fn prefix(filter: &RunFilter) -> Option<String> {
    let text = name_key(filter.q.as_deref()?.trim());
    (!text.is_empty()).then(|| text.chars().take(200).collect())
}

/// Run ids are upper case after `run_`.
fn id_prefix(prefix: &str) -> String {
    prefix.strip_prefix("run_").map_or_else(|| prefix.to_string(), |rest| format!("run_{}", rest.to_ascii_uppercase()))
}

fn prefix_columns(prefix: &str) -> [(&'static str, String); 3] {
    [("run_id", id_prefix(prefix)), ("name_key", prefix.into()), ("sector_key", prefix.into())]
}

/// All texts with a prefix sort from the prefix to the prefix followed by the greatest character.
fn push_range(query: &mut QueryBuilder<Postgres>, column: &'static str, prefix: String) {
    let end = format!("{prefix}\u{10FFFF}");
    query.push(column).push(" >= ").push_bind(prefix).push(" and ").push(column).push(" < ").push_bind(end);
}

fn push_prefix(query: &mut QueryBuilder<Postgres>, prefix: &str) {
    let mut before = " and (";
    for (column, prefix) in prefix_columns(prefix) {
        query.push(before);
        push_range(query, column, prefix);
        before = " or ";
    }
    query.push(")");
}

/// The ids of matching runs: a branch a column, each by its own index and limited.
fn push_prefix_branches(query: &mut QueryBuilder<Postgres>, tenant: TenantId, filter: &RunFilter, prefix: &str) {
    let mut before = "(select run_id from pipeline_runs where ";
    for (column, prefix) in prefix_columns(prefix) {
        query.push(before);
        push_conditions(query, tenant, filter);
        query.push(" and ");
        push_range(query, column, prefix);
        query.push(" order by ").push(column).push(" limit ").push_bind(i64::from(MOST) + 1).push(")");
        before = " union (select run_id from pipeline_runs where ";
    }
}

pub(super) fn sort_name(filter: &RunFilter) -> String {
    format!("{}{:?}", if filter.sort.descending { "-" } else { "" }, filter.sort.column)
}

fn micros(at: OffsetDateTime) -> i64 {
    luci_schema::Micros::from(at).0
}

pub(super) fn page_end(filter: &RunFilter, row: &RunRow) -> PageEnd {
    let time = |at: Option<OffsetDateTime>| at.map(|at| micros(at).to_string());
    let key = match filter.sort.column {
        SortColumn::Created => time(Some(row.created_at)),
        SortColumn::Started => time(row.started_at),
        SortColumn::Completed => time(row.completed_at),
        SortColumn::Status => Some(row.status.as_str().into()),
        SortColumn::Sector => Some(name_key(row.sector_name.as_deref().unwrap_or_default())),
        SortColumn::Name => Some(name_key(&row.pipeline_name)),
        SortColumn::Progress => Some(row.progress.to_string()),
        SortColumn::TotalLeads => Some(row.total_leads.to_string()),
        SortColumn::ProcessedLeads => Some(row.processed_leads.to_string()),
        SortColumn::Cost => Some(row.cost_micros.to_string()),
    };
    let then = (filter.sort.column == SortColumn::Status).then(|| micros(row.created_at));
    PageEnd { sort: sort_name(filter), key, then, run: row.run_id }
}

fn push_after(
    query: &mut QueryBuilder<Postgres>,
    column: SortColumn,
    descending: bool,
    after: &PageEnd,
) -> Result<(), BadCursor> {
    let second = if column == SortColumn::Status { ", created_at" } else { "" };
    let sign = if descending { ", run_id) < (" } else { ", run_id) > (" };
    query.push(" and (").push(column.column()).push(second).push(sign);
    let number = |text: &str| text.parse::<i64>().map_err(|_| BadCursor);
    let at = |micros: i64| luci_schema::Micros(micros).date_time();
    match (column, after.key.as_deref()) {
        (SortColumn::Started | SortColumn::Completed, None) => {
            query.push("'infinity'::timestamptz");
        }
        (_, None) => return Err(BadCursor),
        (SortColumn::Created | SortColumn::Started | SortColumn::Completed, Some(key)) => {
            query.push_bind(at(number(key)?));
        }
        (SortColumn::Status, Some(key)) => {
            query.push_bind(key.to_string()).push(", ").push_bind(at(after.then.ok_or(BadCursor)?));
        }
        (SortColumn::Sector | SortColumn::Name, Some(key)) => {
            query.push_bind(key.to_string());
        }
        (SortColumn::Progress | SortColumn::TotalLeads | SortColumn::ProcessedLeads | SortColumn::Cost, Some(key)) => {
            query.push_bind(number(key)?);
        }
    }
    query.push(", ").push_bind(after.run).push(")");
    Ok(())
}

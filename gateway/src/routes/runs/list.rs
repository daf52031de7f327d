//! `GET /api/pipelines`: the runs of the tenant, filtered, sorted, in pages.

use std::{str::FromStr, sync::Arc};

use luci_projections::runs::{self, RunFilter};

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::Reading,
    request::{Request, parse_field},
    routes::HandlerResult,
    run_waits,
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let filter = filter(&request)?;
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let mut page = runs::list(&mut reading.tx, caller.tenant, &filter).await?;
    run_waits::add(&app, caller.tenant, page.runs.iter_mut()).await?;
    Ok(reading.respond(&page, page.position))
}

fn filter(request: &Request) -> Result<RunFilter, Problem> {
    let offset = request.query_as::<u32>("offset")?.unwrap_or(0);
    if offset > 10_000 {
        return Err(Problem::invalid("offset", "at most 10000; use `cursor` beyond"));
    }
    let (from, to) = request.query_range()?;
    Ok(RunFilter {
        status: parse_all(request, "status")?,
        sector_id: request.query_as("sectorId")?,
        exclude_sector_id: parse_all(request, "excludeSectorId")?,
        q: request.query("q"),
        from,
        to,
        date_field: request.query_as("dateField")?.unwrap_or_default(),
        sort: request.query_as("sort")?.unwrap_or_default(),
        limit: request.limit(50, 200)?,
        cursor: request.query("cursor"),
        offset,
    })
}

/// A query parameter that may be repeated, or hold several values with commas.
fn parse_all<T>(request: &Request, name: &str) -> Result<Vec<T>, Problem>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    request.query_all(name).iter().map(|text| parse_field(name, text)).collect()
}

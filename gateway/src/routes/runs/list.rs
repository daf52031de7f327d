//! `GET /api/pipelines`: the runs of the tenant, filtered, sorted, in pages.

use std::sync::Arc;

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
        status: request.query_all("status").iter().map(|text| parse_field("status", text)).collect::<Result<_, _>>()?,
        sector_id: request.query_as("sectorId")?,
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

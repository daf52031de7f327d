//! `GET /api/costs`: the cost of the runs of the tenant, by default of this month (UTC).

use std::sync::Arc;

use luci_projections::costs;
use luci_schema::Micros;

use crate::{App, caller::Caller, problem::Problem, reads::Reading, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let now = Micros::now().date_time();
    let month = now.date().replace_day(1).map_err(|error| Problem::internal(&error))?.midnight().assume_utc();
    let (from, to) = request.query_range()?;
    let (from, to) = (from.unwrap_or(month), to.unwrap_or(now));
    if from > to {
        return Err(Problem::invalid("from", "must not be after `to`").into());
    }
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let costs = costs::of_tenant(&mut reading.tx, caller.tenant, from, to).await?;
    Ok(reading.respond(&costs, costs.position))
}

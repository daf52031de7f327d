//! GET /api/costs: what the tenant's runs have cost, of this month (UTC) unless `from` and `to` say otherwise.

use std::sync::Arc;

use luci_projections::costs;
use luci_schema::Micros;

use super::{Answer, runs::date};
use crate::{App, ask::Ask, caller::Caller, problem::Problem, reads::Reading};

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let now = Micros::now().date_time();
    let month = now.date().replace_day(1).map_err(|error| Problem::internal(&error))?.midnight().assume_utc();
    let from = date(&ask, "from")?.unwrap_or(month);
    let to = date(&ask, "to")?.unwrap_or(now);
    if from > to {
        return Err(Problem::invalid("from", "not after `to`"));
    }
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let costs = costs::of_tenant(&mut reading.tx, caller.tenant, from, to).await?;
    Ok(reading.answer(&costs, costs.position))
}

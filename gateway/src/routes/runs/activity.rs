//! `GET /api/pipelines/activity`: runs that began and ended in each part of a span of time, by default of the last 24 hours.

use std::sync::Arc;

use luci_projections::activity;
use luci_schema::Micros;
use time::Duration;

use crate::{App, caller::Caller, problem::Problem, reads::Reading, request::Request, routes::HandlerResult};

const PARTS_MOST: u16 = 200;
const SPAN_MOST: Duration = Duration::days(366);

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let (from, to) = request.query_range()?;
    let to = to.unwrap_or_else(|| Micros::now().date_time());
    let from = from.unwrap_or(to - Duration::hours(24));
    let parts = request.query_as::<u16>("parts")?.unwrap_or(24);
    if from >= to || to - from > SPAN_MOST {
        return Err(Problem::invalid("from", "before `to`, by at most 366 days").into());
    }
    if parts == 0 || parts > PARTS_MOST {
        return Err(Problem::invalid("parts", "1 to 200").into());
    }
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let activity = activity::of_tenant(&mut reading.tx, caller.tenant, from, to, parts).await?;
    Ok(reading.respond(&activity, activity.position))
}

//! GET /api/pipelines/{runId}: a run now, or as it was at a version, a position or a time (`asOf`).

use std::sync::Arc;

use http::HeaderValue;
use luci_projections::runs::{self, RunDetail};
use luci_schema::{Micros, Position, Recorded, RunId, Version};
use warp::reply::Response;

use super::{Answer, runs::read_date};
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    problem::Problem,
    reads::{Reading, run_exists},
    waiting,
};

/// Events read at once.
const PAGE: usize = 1_000;

pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    if let Some(text) = ask.query("asOf") {
        run_exists(&app, &caller, run).await?;
        let moment = Moment::read(&text)?;
        let detail = past(&app, &caller, run, moment).await?;
        let detail = detail.ok_or_else(|| Problem::not_found("run").detail("The run did not exist then."))?;
        let position = detail.position;
        return Ok(tagged(crate::serve::json(http::StatusCode::OK, &detail), &detail, position));
    }
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let mut detail = now(&app, &caller, &mut reading, run).await?;
    waiting::tell(&app, caller.tenant, [&mut detail.run].into_iter()).await?;
    let response = reading.answer(&detail, detail.position);
    Ok(tagged(response, &detail, detail.position))
}

/// The run as it is now.
pub async fn now(app: &App, caller: &Caller, reading: &mut Reading, run: RunId) -> Result<RunDetail, Problem> {
    match runs::get(&mut reading.tx, caller.tenant, run).await? {
        Some(detail) => Ok(detail),
        None => young(app, caller, run).await,
    }
}

/// A run that the read model has not met yet is folded from the log.
async fn young(app: &App, caller: &Caller, run: RunId) -> Result<RunDetail, Problem> {
    run_exists(app, caller, run).await?;
    past(app, caller, run, Moment::Version(Version(u64::MAX))).await?.ok_or_else(|| Problem::not_found("run"))
}

/// `ETag` is the version, for `If-Match`.
fn tagged(mut response: Response, detail: &RunDetail, position: Position) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", detail.run.version)) {
        headers.insert(http::header::ETAG, tag);
    }
    headers.insert("luci-position", position.0.into());
    response
}

/// A moment of a run's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Version(Version),
    Position(Position),
    Time(Micros),
}

impl Moment {
    /// `v143`, `p90210` or a time.
    fn read(text: &str) -> Result<Self, Problem> {
        let number = |prefix| text.strip_prefix(prefix).and_then(|rest: &str| rest.parse().ok());
        number('v')
            .map(|version| Self::Version(Version(version)))
            .or_else(|| number('p').map(|position| Self::Position(Position(position))))
            .or_else(|| read_date(text).map(|at| Self::Time(at.into())))
            .ok_or_else(|| Problem::invalid("asOf", "`v143` (a version), `p90210` (a position) or a time"))
    }

    fn includes(self, event: &Recorded) -> bool {
        match self {
            Self::Version(version) => event.version <= version,
            Self::Position(position) => event.position <= position,
            Self::Time(at) => event.recorded_at <= at,
        }
    }
}

async fn past(app: &App, caller: &Caller, run: RunId, moment: Moment) -> Result<Option<RunDetail>, Problem> {
    let mut events = Vec::new();
    loop {
        let after = events.last().map_or(Version(0), |event: &Arc<Recorded>| event.version);
        let page = app.log.read_stream(caller.tenant, run.into(), after, PAGE).await?;
        let whole = page.len();
        events.extend(page.into_iter().take_while(|event| moment.includes(event)));
        let taken = events.last().map_or(Version(0), |event| event.version);
        if whole < PAGE || taken.0 < after.0 + whole as u64 {
            return runs::as_of(&events).map_err(|error| Problem::internal(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_versions_positions_or_times() {
        assert_eq!(Moment::read("v143").unwrap(), Moment::Version(Version(143)));
        assert_eq!(Moment::read("p90210").unwrap(), Moment::Position(Position(90_210)));
        assert!(matches!(Moment::read("2026-11-22T20:54:01Z"), Ok(Moment::Time(_))));
        assert!(Moment::read("143x").is_err());
    }
}

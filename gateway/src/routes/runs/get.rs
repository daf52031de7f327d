//! `GET /api/pipelines/{runId}`: a run now, or as of a version, a position or a time (`asOf`).

use std::sync::Arc;

use http::HeaderValue;
use luci_projections::runs::{self, RunDetail};
use luci_schema::{Micros, Position, RunId, Version};
use warp::reply::Response;

use crate::{
    App,
    caller::Caller,
    problem::Problem,
    reads::{Reading, run_exists},
    request::{Request, date::parse_time},
    routes::HandlerResult,
    run_past,
    run_version::{version_at, version_at_time},
    run_waits,
};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    if let Some(text) = request.query("asOf") {
        let newest = run_exists(&app, &caller, run).await?;
        let moment = Moment::parse(&text)?;
        let version = moment.version(&app, &caller, run, newest).await?;
        let detail = run_past::at_version(&app, caller.tenant, run, version).await?;
        let detail =
            detail.ok_or_else(|| Problem::not_found("run").detail("The run has no event up to that point."))?;
        return Ok(with_version_headers(crate::reply::json(http::StatusCode::OK, &detail), &detail));
    }
    let mut reading = Reading::begin(&app, &caller, &request).await?;
    let mut detail = current(&app, &caller, &mut reading, run).await?;
    run_waits::add(&app, caller.tenant, [&mut detail.run].into_iter()).await?;
    let response = reading.respond(&detail, detail.position);
    Ok(with_version_headers(response, &detail))
}

/// The run as it is now.
pub async fn current(app: &App, caller: &Caller, reading: &mut Reading, run: RunId) -> Result<RunDetail, Problem> {
    match runs::get(&mut reading.tx, caller.tenant, run).await? {
        Some(detail) => Ok(detail),
        None => from_log(app, caller, run).await,
    }
}

/// Folds from the log a run that the read tables lack.
async fn from_log(app: &App, caller: &Caller, run: RunId) -> Result<RunDetail, Problem> {
    let newest = run_exists(app, caller, run).await?;
    run_past::at_version(app, caller.tenant, run, newest).await?.ok_or_else(|| Problem::not_found("run"))
}

/// Adds the version as `ETag`, for `If-Match`, and the position.
fn with_version_headers(mut response: Response, detail: &RunDetail) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", detail.run.version)) {
        headers.insert(http::header::ETAG, tag);
    }
    headers.insert("luci-position", detail.position.0.into());
    response
}

/// A point in the history of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Version(Version),
    Position(Position),
    Time(Micros),
}

impl Moment {
    /// `v143`, `p90210` or a time.
    fn parse(text: &str) -> Result<Self, Problem> {
        let numbered = |prefix| text.strip_prefix(prefix).and_then(|rest: &str| rest.parse().ok());
        numbered('v')
            .map(|version| Self::Version(Version(version)))
            .or_else(|| numbered('p').map(|position| Self::Position(Position(position))))
            .or_else(|| parse_time(text).map(|at| Self::Time(at.into())))
            .ok_or_else(|| {
                Problem::invalid(
                    "asOf",
                    "`v143` (a version), `p90210` (a position), a time with its zone or a day (its first instant, UTC)",
                )
            })
    }

    /// The version that the run had then; 0 before its first event.
    async fn version(self, app: &App, caller: &Caller, run: RunId, newest: Version) -> Result<Version, Problem> {
        match self {
            Self::Version(version) if version > newest => {
                Err(Problem::invalid("asOf", format!("a version of the run: v1 to v{newest}")))
            }
            Self::Version(version) => Ok(version),
            Self::Position(position) => version_at(app, caller.tenant, run, position, newest).await,
            Self::Time(at) => version_at_time(app, caller.tenant, run, at, newest).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_versions_positions_or_times() {
        assert_eq!(Moment::parse("v143").unwrap(), Moment::Version(Version(143)));
        assert_eq!(Moment::parse("p90210").unwrap(), Moment::Position(Position(90_210)));
        assert!(matches!(Moment::parse("2026-11-22T20:54:01Z"), Ok(Moment::Time(_))));
        assert!(Moment::parse("143x").is_err());
    }
}

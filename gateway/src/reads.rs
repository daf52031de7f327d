//! Reading for one tenant: a transaction behind row security, not older than the caller asked, and what it reflects.

use std::time::Duration;

use http::StatusCode;
use luci_projections::{QuestionError, position};
use luci_schema::{Position, RunId, TenantId, Version, log::LogError, migrate::tenant_tx};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use tokio::time::{Instant, sleep_until};
use warp::reply::Response;

use crate::{App, ask::Ask, caller::Caller, problem::Problem, serve::json};

/// Between two looks at the checkpoint of a projector in another process.
const LOOK: Duration = Duration::from_millis(20);

/// A read that is under way.
pub struct Reading {
    pub tx: Transaction<'static, Postgres>,
    /// The position that was asked for had not been reached in time.
    stale: bool,
}

impl Reading {
    /// Waits for the position that the caller asked for, if any, then begins.
    pub async fn begin(app: &App, caller: &Caller, ask: &Ask) -> Result<Self, Problem> {
        let stale = match ask.min_position()? {
            Some(wanted) => !reached(app, wanted).await?,
            None => false,
        };
        Ok(Self { tx: tenant_tx(&app.read_pool, caller.tenant).await?, stale })
    }

    /// The answer, with the position it reflects in body and header.
    pub fn answer(&self, body: &impl Serialize, position: Position) -> Response {
        let mut response = if self.stale { stale(body) } else { json(StatusCode::OK, body) };
        response.headers_mut().insert("luci-position", position.0.into());
        response
    }
}

fn stale(body: &impl Serialize) -> Response {
    match serde_json::to_value(body) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("stale".into(), true.into());
            json(StatusCode::OK, &fields)
        }
        Ok(other) => json(StatusCode::OK, &other),
        Err(error) => Problem::internal(&error).into_response(""),
    }
}

/// Waits until the read model has the position; false when patience ends first. A projector in this process tells of it
/// at once; one elsewhere is asked again and again.
async fn reached(app: &App, wanted: Position) -> Result<bool, Problem> {
    let end = Instant::now() + app.options.read_patience;
    let mut here = app.projected.clone();
    loop {
        let told = here.as_ref().is_some_and(|position| *position.borrow() >= wanted);
        // A projector here may be the one that stands by: the checkpoint is what holds for all.
        if told || position::current(&mut *app.engine_pool.acquire().await?).await? >= wanted {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        let pause = sleep_until(end.min(Instant::now() + LOOK));
        match &mut here {
            Some(position) => tokio::select! {
                changed = position.changed() => if changed.is_err() { here = None },
                () = pause => {}
            },
            None => pause.await,
        }
    }
}

/// The run's version in the log, or 404: the read model may not have it yet, the log is what exists.
pub async fn run_exists(app: &App, caller: &Caller, run: RunId) -> Result<Version, Problem> {
    let head = app.log.stream_head(caller.tenant, run.into()).await?;
    head.map(|(version, _)| version).ok_or_else(|| Problem::not_found("run"))
}

/// The version that a run had at a position: a search over its stream, which is in order of both.
pub async fn version_at(
    app: &App,
    tenant: TenantId,
    run: RunId,
    at: Position,
    newest: Version,
) -> Result<Version, Problem> {
    let (mut low, mut high) = (0, newest.0);
    while low < high {
        let middle = low + (high - low) / 2;
        match app.log.read_stream(tenant, run.into(), Version(middle), 1).await?.first() {
            Some(recorded) if recorded.position <= at => low = recorded.version.0,
            _ => high = middle,
        }
    }
    Ok(Version(low))
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            damage if damage.is_damage() => Self::damaged(&damage),
            LogError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Database(error) => error.into(),
            QuestionError::Log(error) => error.into(),
            // A cursor, an offset or a sort that cannot be answered: the caller's to mend.
            error => Self::invalid("query", error.to_string()),
        }
    }
}

//! Reads of one tenant: a snapshot under row security, at least as new as the caller requires.

use std::time::Duration;

use http::StatusCode;
use luci_projections::{position, snapshot};
use luci_schema::{Position, RunId, Version};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Postgres, Transaction};
use tokio::time::{Instant, sleep_until};
use warp::reply::Response;

use crate::{App, caller::Caller, problem::Problem, reply::json, request::Request};

/// Pause between two reads of the checkpoint of a projector in another process.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An open read transaction.
pub struct Reading {
    pub tx: Transaction<'static, Postgres>,
    /// The required position was not reached in time.
    stale: bool,
}

impl Reading {
    /// Waits for the position that the caller requires, if any, then begins the transaction.
    pub async fn begin(app: &App, caller: &Caller, request: &Request) -> Result<Self, Problem> {
        let stale = match request.min_position()? {
            Some(min) => !reached(app, min).await?,
            None => false,
        };
        Ok(Self { tx: snapshot::begin(&app.read_pool, caller.tenant).await?, stale })
    }

    /// The response, with the position that it reflects in the header.
    pub fn respond(&self, body: &impl Serialize, position: Position) -> Response {
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

/// Waits until the read model has the position; false on timeout. A projector in this process notifies; the checkpoint of
/// one in another process is polled.
async fn reached(app: &App, min: Position) -> Result<bool, Problem> {
    let end = Instant::now() + app.options.read_timeout;
    let mut local = app.projected.clone();
    loop {
        let notified = local.as_ref().is_some_and(|position| *position.borrow() >= min);
        // The projector of this process may be the standby: the checkpoint is valid for all processes.
        if notified || position::current(&mut *app.engine_pool.acquire().await?).await? >= min {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        let pause = sleep_until(end.min(Instant::now() + POLL_INTERVAL));
        match &mut local {
            Some(position) => tokio::select! {
                changed = position.changed() => if changed.is_err() { local = None },
                () = pause => {}
            },
            None => pause.await,
        }
    }
}

/// The version of the run in the log, or 404. The read model may not have the run yet.
pub async fn run_exists(app: &App, caller: &Caller, run: RunId) -> Result<Version, Problem> {
    let head = app.log.stream_head(caller.tenant, run.into()).await?;
    head.map(|(version, _)| version).ok_or_else(|| Problem::not_found("run"))
}

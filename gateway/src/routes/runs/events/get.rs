//! `GET /api/pipelines/{runId}/events/{eventId}`: one event of a run as it is in the log.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::{EventId, RunId, Version, history::EventText};

use crate::{App, caller::Caller, problem::Problem, reads::run_exists, reply, request::Request, routes::HandlerResult};

/// Events read from the log at once.
const PAGE: usize = 500;

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let id: EventId = request.id(1, "event")?;
    run_exists(&app, &caller, run).await?;
    let _turn = app.heavy_reads.begin(caller.tenant).await?;
    let mut at = Version(0);
    loop {
        let page = app.log.read_stream(caller.tenant, run.into(), at, PAGE).await?;
        if let Some(event) = page.iter().find(|event| event.event_id == id) {
            let body = EventText::try_from(event.as_ref()).map_err(|error| Problem::internal(&error))?;
            return Ok(reply::json(StatusCode::OK, &body));
        }
        match page.last() {
            Some(last) => at = last.version,
            None => return Err(Problem::not_found("event").into()),
        }
    }
}

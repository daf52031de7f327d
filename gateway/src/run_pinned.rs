//! What a run was started with, without folding it.

use luci_schema::{
    Event, RunId, TenantId, Version,
    event::{RunEvent, RunQueued},
    log::LogError,
};

use crate::{App, problem::Problem};

/// The run's first event.
pub async fn queued(app: &App, tenant: TenantId, run: RunId) -> Result<RunQueued, Problem> {
    let first = app.log.read_stream(tenant, run.into(), Version(0), 1).await?;
    match first.first().map(|recorded| &recorded.event) {
        None => Err(Problem::not_found("run")),
        Some(Event::Run(RunEvent::Queued(queued))) => Ok(RunQueued::clone(queued)),
        Some(other) => Err(LogError::Corrupt(format!("run {run} begins with {}", other.type_name())).into()),
    }
}

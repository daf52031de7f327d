//! Issues the command that queues a new run.

use luci_runs::core::RunCommand;
use luci_schema::{Hash, RunId, event::RunQueued};
use serde_json::json;

use crate::{
    App,
    caller::Caller,
    idempotency,
    request::Request,
    routes::{HandlerResult, runs::command::failed},
};

/// 202 with the id of the new run.
pub async fn queue(
    app: &App,
    caller: &Caller,
    request: &Request,
    command: idempotency::Command,
    digest: Hash,
    run: RunId,
    queued: RunQueued,
) -> HandlerResult {
    let outcome = json!({"runId": run, "status": "queued"});
    let mut cause = command.cause(caller, request, digest, &outcome)?;
    // `If-Match` is about the earlier run, not about the new one.
    cause.if_match = None;
    match app.issuer.issue(caller.tenant, run, &RunCommand::Queue(Box::new(queued)), cause).await {
        Ok(issued) => Ok(idempotency::accepted(&outcome, issued.position)),
        Err(error) => failed(error, digest),
    }
}

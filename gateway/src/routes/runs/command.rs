//! Issues a command on an existing run.

use std::sync::Arc;

use luci_runs::{core::RunCommand, issue::IssueError};
use luci_schema::{BlockId, Hash, RunId};
use serde_json::{Value, json};

use crate::{
    App,
    caller::Caller,
    idempotency,
    problem::Problem,
    reads::run_exists,
    request::{Request, body_digest},
    routes::HandlerResult,
};

/// The size limit of the body, in bytes.
const BODY_LIMIT: u64 = 64 << 10;

/// Issues a command that has no parameters.
pub async fn issue_simple(
    app: Arc<App>,
    caller: Caller,
    mut request: Request,
    command: RunCommand,
    status: &str,
) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let digest = digest(&mut request).await?;
    let outcome = json!({"runId": run, "status": status});
    issue(&app, &caller, &request, run, command, outcome, digest).await
}

/// Issues a command on one block.
pub async fn issue_for_block(
    app: Arc<App>,
    caller: Caller,
    mut request: Request,
    command: fn(BlockId) -> RunCommand,
    status: &str,
) -> HandlerResult {
    let run: RunId = request.id(0, "run")?;
    let block: BlockId = request.id(1, "block")?;
    let digest = digest(&mut request).await?;
    let outcome = json!({"runId": run, "blockId": block, "status": status});
    issue(&app, &caller, &request, run, command(block), outcome, digest).await
}

/// The content of the body is not used, but the same key with another body is a 422.
async fn digest(request: &mut Request) -> Result<Hash, Problem> {
    Ok(body_digest(&request.bytes(BODY_LIMIT).await?))
}

/// 202 with the outcome; the run must exist.
pub async fn issue(
    app: &App,
    caller: &Caller,
    request: &Request,
    run: RunId,
    command: RunCommand,
    outcome: Value,
    digest: Hash,
) -> HandlerResult {
    run_exists(app, caller, run).await?;
    let new = idempotency::check(app, caller, request, digest).await?;
    let cause = new.cause(caller, request, digest, &outcome)?;
    match app.issuer.issue(caller.tenant, run, &command, cause).await {
        Ok(issued) => Ok(idempotency::accepted(&outcome, issued.position)),
        Err(error) => failed(error, digest),
    }
}

/// The response to a command that was not executed. If it was executed before, its response is repeated.
pub fn failed(error: IssueError, digest: Hash) -> HandlerResult {
    match error {
        IssueError::AlreadyDone(receipt) => Ok(idempotency::replay(&receipt, digest)?),
        error => Err(error.into()),
    }
}

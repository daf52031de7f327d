//! What can be asked of a run: pause, resume, cancel, retry, delete. Each is one command of the run core.

use std::sync::Arc;

use luci_engine::{
    issue::IssueError,
    run::{Refusal, RunCommand},
};
use luci_schema::{BlockId, Hash, RunId, log::AppendError};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Digest;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    reads::run_exists,
};

/// The largest body of a command.
const BODY: u64 = 64 << 10;

pub async fn pause(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    plain(app, caller, ask, RunCommand::Pause, "paused").await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResumeBody {
    budget_micros: Option<u64>,
}

/// With `budgetMicros` the run goes on with that budget.
pub async fn resume(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let (body, digest) = ask.json::<ResumeBody>().await?;
    let command = match body.budget_micros {
        None => RunCommand::Resume,
        Some(0) => return Err(Problem::invalid("budgetMicros", "1 or more")),
        Some(budget_micros) => RunCommand::ResumeWith { budget_micros },
    };
    let outcome = json!({"runId": run, "status": "running"});
    issue(&app, &caller, &ask, run, command, outcome, digest).await
}

pub async fn cancel(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    plain(app, caller, ask, RunCommand::Cancel, "cancelled").await
}

pub async fn retry(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<super::start::RetryBody>().await?;
    match body.from_stage {
        Some(stage) => super::start::retry_from(app, caller, ask, stage, digest).await,
        None => {
            let run: RunId = ask.id(0, "run")?;
            let outcome = json!({"runId": run, "status": "running"});
            issue(&app, &caller, &ask, run, RunCommand::RetryRun, outcome, digest).await
        }
    }
}

pub async fn delete(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    plain(app, caller, ask, RunCommand::Delete, "deleted").await
}

async fn plain(app: Arc<App>, caller: Caller, mut ask: Ask, command: RunCommand, status: &str) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let digest = digest(&mut ask).await?;
    let outcome = json!({"runId": run, "status": status});
    issue(&app, &caller, &ask, run, command, outcome, digest).await
}

/// A command about one block.
pub async fn of_block(
    app: Arc<App>,
    caller: Caller,
    mut ask: Ask,
    command: fn(BlockId) -> RunCommand,
    status: &str,
) -> Answer {
    let run: RunId = ask.id(0, "run")?;
    let block: BlockId = ask.id(1, "block")?;
    let digest = digest(&mut ask).await?;
    let outcome = json!({"runId": run, "blockId": block, "status": status});
    issue(&app, &caller, &ask, run, command(block), outcome, digest).await
}

/// What the body says is not used, but the same key with another body is another command.
async fn digest(ask: &mut Ask) -> Result<Hash, Problem> {
    Ok(sha2::Sha256::digest(ask.bytes(BODY).await?).into())
}

async fn issue(
    app: &App,
    caller: &Caller,
    ask: &Ask,
    run: RunId,
    command: RunCommand,
    outcome: Value,
    digest: Hash,
) -> Answer {
    run_exists(app, caller, run).await?;
    let begun = match idempotency::begin(app, caller, ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(begun) => begun,
    };
    let cause = begun.cause(caller, ask, digest, &outcome)?;
    match app.issuer.issue(caller.tenant, run, &command, cause).await {
        Ok(issued) => Ok(idempotency::accepted(&outcome, issued.position)),
        Err(error) => refused(error, digest),
    }
}

/// What the caller sees of a command that was not carried out; one that was carried out before is answered again.
pub fn refused(error: IssueError, digest: Hash) -> Answer {
    match error {
        IssueError::AlreadyDone(receipt) => idempotency::answer(&receipt, digest),
        error => Err(error.into()),
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::AlreadyDone(receipt) => AppendError::AlreadyDone(receipt).into(),
            IssueError::NotFound => Self::not_found("run"),
            IssueError::VersionMismatch { actual } => Self::version_mismatch(actual),
            IssueError::Refused(refusal) => refusal.into(),
            IssueError::Log(error) => error.into(),
            IssueError::Append(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        let conflict = |kind| Self::new(http::StatusCode::CONFLICT, kind, "Not possible now").detail(said.clone());
        match &refusal {
            Refusal::Illegal { status, .. } => conflict("illegal-status").with("runStatus", status.as_str()),
            Refusal::Deleted => conflict("deleted"),
            Refusal::Missing => Self::not_found("run"),
            Refusal::Unfit { block, .. } => conflict("block-not-fit").with("blockId", block.to_string()),
            Refusal::OverBudget { missing_micros } => conflict("over-budget").with("missingMicros", *missing_micros),
            Refusal::Stale => conflict("stale"),
            Refusal::TooManyLeads { leads, max_leads } => {
                Self::invalid("options.maxLeads", said.clone()).with("leads", *leads).with("maxLeads", *max_leads)
            }
            Refusal::Invalid(_) => Self::invalid("body", said.clone()),
        }
    }
}

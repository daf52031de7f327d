//! Issues run commands: load the folded run, decide, append, fold what was appended.
//!
//! In this process a run takes one command at a time. Another process's append shows as a conflict: its events are read and
//! the command is decided again, after a growing pause. A refusal appends nothing. Folded runs are cached (`folded_runs`).

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use luci_schema::{
    Actor, CommandId, CorrelationId, EventId, Hash, Micros, Position, Recorded, RunId, StreamId, TenantId,
    TraceContext, Version,
    log::{Append, AppendError, Log, LogError, NewReceipt, Receipt, Snapshots},
    trace,
};
use serde_json::Value;

use crate::{
    core::{Context, DecideError, Refusal, Run, RunCommand, decide},
    folded_runs::FoldedRuns,
    retry_pause::RetryPause,
};

/// How often a command is decided before its conflict is returned.
const MAX_TRIES: usize = 16;
/// Pauses after the second and later conflicts of a command; the first is retried immediately.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Who issues a command, and why.
#[derive(Debug, Clone)]
pub struct Cause {
    pub actor: Actor,
    pub command: CommandId,
    /// `None`: that of the run.
    pub correlation: Option<CorrelationId>,
    pub causation: Option<EventId>,
    /// For commands from outside: SHA-256 of the request body, and the data that the answer is rendered from.
    pub receipt: Option<(Hash, Value)>,
    /// The version that the run must have.
    pub if_match: Option<Version>,
}

/// A command that was executed, or was already in effect.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Empty when the command was already in effect.
    pub events: Vec<Arc<Recorded>>,
    /// The run after the command.
    pub run: Arc<Run>,
    /// From this position on, a reader sees the command's effect.
    pub position: Position,
}

/// Why a command was not executed. After `Append` it may have been: issue it again.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such run")]
    NotFound,
    /// The same command was executed before; its receipt holds the answer.
    #[error("this command was executed before, at position {}", .0.position)]
    AlreadyDone(Receipt),
    #[error("the run is at version {actual}")]
    VersionMismatch { actual: Version },
    /// `LogError::Corrupt` when the run's stream cannot be folded.
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Append(AppendError),
}

/// Clones share the cache.
#[derive(Debug, Clone)]
pub struct Issuer {
    log: Log,
    runs: FoldedRuns,
}

impl Issuer {
    pub fn new(log: Log) -> Self {
        Self { log, runs: FoldedRuns::new() }
    }

    /// The same issuer, which stores states of long runs and starts from them.
    #[must_use]
    pub fn with_snapshots(mut self, snapshots: Snapshots) -> Self {
        self.runs.snapshots = Some(snapshots);
        self
    }

    /// The log that it appends to.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// The same issuer, which shares its folded runs, over another handle of the log.
    pub fn with_log(&self, log: Log) -> Self {
        Self { log, runs: self.runs.clone() }
    }

    /// Executes a command.
    ///
    /// # Errors
    /// See `IssueError`. A command with a receipt that was executed before is always `AlreadyDone`, whatever the run's
    /// state is now.
    pub async fn issue(
        &self,
        tenant: TenantId,
        run: RunId,
        command: &RunCommand,
        by: Cause,
    ) -> Result<Issued, IssueError> {
        let cached = self.runs.get((tenant, run));
        let mut folded = cached.lock().await;
        let loaded = match folded.exists() || matches!(command, RunCommand::Queue(_)) {
            true => Ok(false),
            false => self.catch_up((tenant, run), &mut folded).await,
        };
        let issued = match loaded {
            Ok(_) => {
                let at = (tenant, run);
                trace::continued(own_trace(&folded), self.decide_and_append(at, &mut folded, command, &by)).await
            }
            Err(error) => Err(error.into()),
        };
        let outcome = match &issued {
            Ok(issued) if issued.events.is_empty() => "unchanged",
            Ok(_) => "issued",
            Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::VersionMismatch { .. }) => "refused",
            Err(IssueError::AlreadyDone(_)) => "repeated",
            Err(IssueError::Log(_) | IssueError::Append(_)) => "error",
        };
        metrics::counter!("luci_commands_total", "command" => command.name(), "outcome" => outcome).increment(1);
        self.runs.forget_absent((tenant, run), &folded);
        issued
    }

    /// The run as cached in this process: current while no other process writes to it. `None` when it does not exist.
    pub async fn load(&self, tenant: TenantId, run: RunId) -> Result<Option<Arc<Run>>, LogError> {
        self.load_past(tenant, run, Version(1)).await
    }

    /// The run, at least at this version if the log has it.
    pub async fn load_past(
        &self,
        tenant: TenantId,
        run: RunId,
        at_least: Version,
    ) -> Result<Option<Arc<Run>>, LogError> {
        let cached = self.runs.get((tenant, run));
        let mut folded = cached.lock().await;
        if folded.version() < at_least {
            self.catch_up((tenant, run), &mut folded).await?;
        }
        self.runs.forget_absent((tenant, run), &folded);
        Ok(folded.exists().then(|| folded.clone()))
    }

    /// The run with everything that the log has now.
    pub async fn load_newest(&self, tenant: TenantId, run: RunId) -> Result<Option<Arc<Run>>, LogError> {
        self.load_past(tenant, run, Version(u64::MAX)).await
    }

    #[tracing::instrument(
        name = "command",
        skip_all,
        fields(tenant.id = %at.0, run.id = %at.1, command = command.name()),
    )]
    async fn decide_and_append(
        &self,
        at: (TenantId, RunId),
        folded: &mut Arc<Run>,
        command: &RunCommand,
        by: &Cause,
    ) -> Result<Issued, IssueError> {
        let mut pause = None;
        for _ in 0..MAX_TRIES {
            let decided = self.decided(folded, command, by);
            // Only the newest state may refuse a command or find it in effect: another process may have written.
            let appends = decided.as_ref().is_ok_and(|events| !events.is_empty());
            if !appends && self.catch_up(at, folded).await? {
                continue;
            }
            let events = match decided {
                Ok(events) => events,
                Err(refused) => return Err(self.existing_receipt(at.0, by).await?.unwrap_or(refused)),
            };
            if events.is_empty() && by.receipt.is_none() {
                return Ok(Issued { events: Vec::new(), run: folded.clone(), position: folded.position() });
            }
            match self.log.append(append(at, folded, events, by)).await {
                Ok(appended) => {
                    let position = appended.position();
                    self.runs.fold(&self.log, at, folded, &appended.events)?;
                    return Ok(Issued { events: appended.events, run: folded.clone(), position });
                }
                Err(AppendError::Conflict { actual }) => {
                    metrics::counter!("luci_conflicts_total", "command" => command.name()).increment(1);
                    tracing::debug!(tenant.id = %at.0, run.id = %at.1, version = actual.0, "conflict, deciding again");
                    back_off(&mut pause).await;
                    self.catch_up(at, folded).await?;
                }
                Err(AppendError::AlreadyDone(receipt)) => return Err(IssueError::AlreadyDone(receipt)),
                Err(AppendError::NotFound) => return Err(IssueError::NotFound),
                Err(error) => return Err(IssueError::Append(error)),
            }
        }
        tracing::warn!(
            tenant.id = %at.0, run.id = %at.1, command = command.name(), tries = MAX_TRIES,
            "command failed, the run kept changing"
        );
        Err(IssueError::Append(AppendError::Conflict { actual: folded.version() }))
    }

    fn decided(&self, run: &Run, command: &RunCommand, by: &Cause) -> Result<Vec<luci_schema::Event>, IssueError> {
        if by.if_match.is_some_and(|expected| run.exists() && expected != run.version()) {
            return Err(IssueError::VersionMismatch { actual: run.version() });
        }
        let context = Context { now: Micros::now(), seed: EventId::generate().ulid(), actor: by.actor };
        decide(run, command, &context).map_err(|error| match error {
            DecideError::Refused(Refusal::Missing) => IssueError::NotFound,
            DecideError::Refused(refusal) => IssueError::Refused(refusal),
            DecideError::Corrupt(corrupt) => IssueError::Log(corrupt.into()),
        })
    }

    /// A repeated command is answered from its receipt, even when the run would now refuse it.
    fn existing_receipt<'a>(
        &'a self,
        tenant: TenantId,
        by: &'a Cause,
    ) -> BoxFuture<'a, Result<Option<IssueError>, LogError>> {
        async move {
            match by.receipt {
                Some(_) => Ok(self.log.receipt(tenant, &by.command).await?.map(IssueError::AlreadyDone)),
                None => Ok(None),
            }
        }
        .boxed()
    }

    /// Boxed, like `existing_receipt`: both are seldom needed, and inline they would make every command's future ten times
    /// larger.
    fn catch_up<'a>(
        &'a self,
        at: (TenantId, RunId),
        folded: &'a mut Arc<Run>,
    ) -> BoxFuture<'a, Result<bool, LogError>> {
        self.runs.catch_up(&self.log, at, folded).boxed()
    }
}

/// The trace of the run, for a command that belongs to none: the clock's.
fn own_trace(run: &Run) -> Option<TraceContext> {
    TraceContext::current().map_or_else(|| run.trace(), |_| None)
}

/// Returns immediately after the first conflict.
async fn back_off(pause: &mut Option<RetryPause>) {
    match pause {
        None => *pause = Some(RetryPause::between(FIRST_PAUSE, MAX_PAUSE)),
        Some(pause) => tokio::time::sleep(pause.next()).await,
    }
}

fn append((tenant, run): (TenantId, RunId), folded: &Run, events: Vec<luci_schema::Event>, by: &Cause) -> Append {
    Append {
        tenant,
        stream: StreamId::Run(run),
        expected: folded.version(),
        events,
        actor: by.actor,
        command: by.command.clone(),
        correlation: by.correlation.or(folded.correlation()).unwrap_or_else(CorrelationId::generate),
        causation: by.causation,
        receipt: by.receipt.clone().map(|(body_digest, outcome)| NewReceipt { body_digest, outcome }),
    }
}

//! Issues run commands: load the folded run, decide, append, fold what was appended.
//!
//! In this process a run takes one command at a time. Another process's append shows as a conflict: its events are read and
//! the command is decided again, after a growing pause. A refusal appends nothing. Folded runs are in an LRU cache.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt as _};
use lru::LruCache;
use luci_schema::{
    Actor, CommandId, CorrelationId, EventId, Hash, Micros, Position, Recorded, RunId, StreamId, TenantId, Version,
    log::{Append, AppendError, Log, LogError, NewReceipt, Receipt},
};
use serde_json::Value;

use crate::{
    core::{Context, DecideError, Refusal, Run, RunCommand, decide},
    retry_pause::RetryPause,
};

/// Folded runs in the cache.
const MAX_CACHED_RUNS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Events read at once when a run is loaded.
const PAGE: usize = 1_000;
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

/// A folded run, locked by one command at a time. The default is a run that was not loaded yet.
type CachedRun = Arc<tokio::sync::Mutex<Arc<Run>>>;

/// Clones share the cache.
#[derive(Debug, Clone)]
pub struct Issuer {
    log: Log,
    runs: Arc<Mutex<LruCache<(TenantId, RunId), CachedRun>>>,
}

impl Issuer {
    pub fn new(log: Log) -> Self {
        Self { log, runs: Arc::new(Mutex::new(LruCache::new(MAX_CACHED_RUNS))) }
    }

    /// The same issuer, which shares its folded runs, over another handle of the log.
    pub fn with_log(&self, log: Log) -> Self {
        Self { log, runs: Arc::clone(&self.runs) }
    }

    /// Executes a command.
    ///
    /// # Errors
    /// See `IssueError`. A command with a receipt that was executed before is always `AlreadyDone`, whatever the run's
    /// state is now.
    #[tracing::instrument(
        name = "command",
        skip_all,
        fields(tenant.id = %tenant, run.id = %run, command = command.name()),
    )]
    pub async fn issue(
        &self,
        tenant: TenantId,
        run: RunId,
        command: &RunCommand,
        by: Cause,
    ) -> Result<Issued, IssueError> {
        let cached = self.cached(tenant, run);
        let mut folded = cached.lock().await;
        let issued = self.decide_and_append((tenant, run), &mut folded, command, &by).await;
        let outcome = match &issued {
            Ok(issued) if issued.events.is_empty() => "unchanged",
            Ok(_) => "issued",
            Err(IssueError::Refused(_) | IssueError::NotFound | IssueError::VersionMismatch { .. }) => "refused",
            Err(IssueError::AlreadyDone(_)) => "repeated",
            Err(IssueError::Log(_) | IssueError::Append(_)) => "error",
        };
        metrics::counter!("luci_commands_total", "command" => command.name(), "outcome" => outcome).increment(1);
        self.forget_absent((tenant, run), &folded);
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
        let cached = self.cached(tenant, run);
        let mut folded = cached.lock().await;
        if folded.version() < at_least {
            self.catch_up((tenant, run), &mut folded).await?;
        }
        self.forget_absent((tenant, run), &folded);
        Ok(folded.exists().then(|| folded.clone()))
    }

    /// The run with everything that the log has now.
    pub async fn load_newest(&self, tenant: TenantId, run: RunId) -> Result<Option<Arc<Run>>, LogError> {
        self.load_past(tenant, run, Version(u64::MAX)).await
    }

    async fn decide_and_append(
        &self,
        at: (TenantId, RunId),
        folded: &mut Arc<Run>,
        command: &RunCommand,
        by: &Cause,
    ) -> Result<Issued, IssueError> {
        if !folded.exists() && !matches!(command, RunCommand::Queue(_)) {
            self.catch_up(at, folded).await?;
        }
        let mut pause = None;
        for _ in 0..MAX_TRIES {
            let decided = self.decided(folded, command, by);
            // Only the newest state may refuse a command or find it in effect: another process may have written.
            let appends = decided.as_ref().is_ok_and(|events| !events.is_empty());
            if !appends && self.catch_up(at, folded).await? > 0 {
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
                    fold(folded, &appended.events)?;
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

    /// Folds the events that the run does not have yet, and returns their number. Boxed, like `existing_receipt`: both are
    /// seldom needed, and inline they would make every command's future ten times larger.
    fn catch_up<'a>(
        &'a self,
        (tenant, run): (TenantId, RunId),
        folded: &'a mut Arc<Run>,
    ) -> BoxFuture<'a, Result<usize, LogError>> {
        async move {
            let mut read = 0;
            loop {
                let page = self.log.read_stream(tenant, StreamId::Run(run), folded.version(), PAGE).await?;
                read += page.len();
                if !page.is_empty() {
                    fold(folded, &page)?;
                }
                if page.len() < PAGE {
                    return Ok(read);
                }
            }
        }
        .boxed()
    }

    /// A run that is evicted while in use is harmless: a second user of the run conflicts with the first.
    fn cached(&self, tenant: TenantId, run: RunId) -> CachedRun {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.get_or_insert((tenant, run), CachedRun::default))
    }

    /// Requests for runs that do not exist must not evict those that do.
    fn forget_absent(&self, at: (TenantId, RunId), folded: &Run) {
        if !folded.exists() {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).pop(&at);
        }
    }
}

/// A run that cannot be folded is dropped from the cache, so that the next load reads it again and reports the same error.
fn fold(folded: &mut Arc<Run>, events: &[Arc<Recorded>]) -> Result<(), LogError> {
    let run = Arc::make_mut(folded);
    let done = events.iter().try_for_each(|recorded| run.apply(recorded));
    done.map_err(|corrupt| {
        *folded = Arc::default();
        corrupt.into()
    })
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

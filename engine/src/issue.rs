//! The door for run commands: load the folded run, decide, append, fold what was appended.
//!
//! One command of a run at a time in this process; another process is met as a conflict: its events are read and the
//! decision is made again. A refusal appends nothing. Folded runs are kept by count, the least used go first.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _};
use lru::LruCache;
use luci_schema::{
    Actor, CommandId, CorrelationId, EventId, Hash, Micros, Position, Recorded, RunId, StreamId, TenantId, Version,
    log::{Append, AppendError, Log, LogError, NewReceipt, Receipt},
};
use serde_json::Value;

use crate::run::{Context, Refusal, Run, RunCommand, decide};

/// Runs kept folded. (Evaluated by the compiler.)
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Events read at once when a run is loaded.
const PAGE: usize = 1_000;
/// How often a command is decided anew after another process was faster.
const TRIES: usize = 16;

/// Who wants a command, and what it follows from.
#[derive(Debug, Clone)]
pub struct Cause {
    pub actor: Actor,
    pub command: CommandId,
    /// `None`: the run's.
    pub correlation: Option<CorrelationId>,
    pub causation: Option<EventId>,
    /// For commands from outside: SHA-256 of the body, and what the answer is rendered from.
    pub receipt: Option<(Hash, Value)>,
    /// The version that the caller saw.
    pub if_match: Option<Version>,
}

/// A command that was carried out, or was in effect already.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What happened; empty when the command was in effect already.
    pub events: Vec<Arc<Recorded>>,
    /// The run after it.
    pub run: Arc<Run>,
    /// Where a reader sees the command's effect.
    pub position: Position,
}

/// Why a command was not carried out. After `Append` alone it may have been: issue it again.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such run")]
    NotFound,
    /// The same command was carried out before; its receipt says what was answered.
    #[error("this command was carried out before, at position {}", .0.position)]
    AlreadyDone(Receipt),
    #[error("the run is at version {actual}")]
    VersionMismatch { actual: Version },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Append(AppendError),
}

/// A folded run, taken by one command at a time. The default is a run that was not loaded yet.
type Slot = Arc<tokio::sync::Mutex<Arc<Run>>>;

/// A handle; clones share the folded runs.
#[derive(Debug, Clone)]
pub struct Issuer {
    log: Log,
    runs: Arc<Mutex<LruCache<(TenantId, RunId), Slot>>>,
}

impl Issuer {
    pub fn new(log: Log) -> Self {
        Self { log, runs: Arc::new(Mutex::new(LruCache::new(KEPT))) }
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// See `IssueError`. A command with a receipt that was carried out before is always `AlreadyDone`, whatever the run
    /// has come to since.
    pub async fn issue(
        &self,
        tenant: TenantId,
        run: RunId,
        command: &RunCommand,
        by: Cause,
    ) -> Result<Issued, IssueError> {
        let slot = self.slot(tenant, run);
        let mut folded = slot.lock().await;
        let issued = self.carry_out((tenant, run), &mut folded, command, &by).await;
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

    /// The run as this process knows it: as it is while no other process writes to it. `None` when there is none.
    pub async fn load(&self, tenant: TenantId, run: RunId) -> Result<Option<Arc<Run>>, LogError> {
        self.load_past(tenant, run, Version(1)).await
    }

    /// The run, at this version at least unless it has not come so far.
    pub async fn load_past(
        &self,
        tenant: TenantId,
        run: RunId,
        at_least: Version,
    ) -> Result<Option<Arc<Run>>, LogError> {
        let slot = self.slot(tenant, run);
        let mut folded = slot.lock().await;
        if folded.version() < at_least {
            self.catch_up((tenant, run), &mut folded).await?;
        }
        self.forget_absent((tenant, run), &folded);
        Ok(folded.exists().then(|| folded.clone()))
    }

    /// The run as it stands in the log now, whoever wrote last.
    pub async fn load_newest(&self, tenant: TenantId, run: RunId) -> Result<Option<Arc<Run>>, LogError> {
        self.load_past(tenant, run, Version(u64::MAX)).await
    }

    async fn carry_out(
        &self,
        at: (TenantId, RunId),
        folded: &mut Arc<Run>,
        command: &RunCommand,
        by: &Cause,
    ) -> Result<Issued, IssueError> {
        if !folded.exists() && !matches!(command, RunCommand::Queue(_)) {
            self.catch_up(at, folded).await?;
        }
        for _ in 0..TRIES {
            let decided = self.decided(folded, command, by);
            // Only the newest state may refuse, or find the command in effect: another process may have written.
            let appends = decided.as_ref().is_ok_and(|events| !events.is_empty());
            if !appends && self.catch_up(at, folded).await? > 0 {
                continue;
            }
            let events = match decided {
                Ok(events) => events,
                Err(refused) => return Err(self.done_before(at.0, by).await?.unwrap_or(refused)),
            };
            if events.is_empty() && by.receipt.is_none() {
                return Ok(Issued { events: Vec::new(), run: folded.clone(), position: folded.position() });
            }
            match self.log.append(append(at, folded, events, by)).await {
                Ok(appended) => {
                    let position = appended.position();
                    let run = Arc::make_mut(folded);
                    appended.events.iter().for_each(|recorded| run.apply(recorded));
                    return Ok(Issued { events: appended.events, run: folded.clone(), position });
                }
                Err(AppendError::Conflict { .. }) => {
                    metrics::counter!("luci_conflicts_total", "command" => command.name()).increment(1);
                    self.catch_up(at, folded).await?;
                }
                Err(AppendError::AlreadyDone(receipt)) => return Err(IssueError::AlreadyDone(receipt)),
                Err(AppendError::NotFound) => return Err(IssueError::NotFound),
                Err(error) => return Err(IssueError::Append(error)),
            }
        }
        Err(IssueError::Append(AppendError::Conflict { actual: folded.version() }))
    }

    fn decided(&self, run: &Run, command: &RunCommand, by: &Cause) -> Result<Vec<luci_schema::Event>, IssueError> {
        if let Some(seen) = by.if_match.filter(|seen| run.exists() && *seen != run.version()) {
            tracing::debug!(%seen, actual = %run.version(), "the caller saw another version");
            return Err(IssueError::VersionMismatch { actual: run.version() });
        }
        let context = Context { now: Micros::now(), seed: EventId::generate().ulid(), actor: by.actor };
        decide(run, command, &context).map_err(|refusal| match refusal {
            Refusal::Missing => IssueError::NotFound,
            refusal => IssueError::Refused(refusal),
        })
    }

    /// A repeated command is answered from its receipt, though the run would refuse it by now.
    fn done_before<'a>(
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

    /// Folds what the log has and the run has not; answers how many events that were. On the heap, as `done_before` is: both
    /// are seldom needed, and what they hold while they read would make every command's future ten times larger.
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
                    let run = Arc::make_mut(folded);
                    page.iter().for_each(|recorded| run.apply(recorded));
                }
                if page.len() < PAGE {
                    return Ok(read);
                }
            }
        }
        .boxed()
    }

    /// A slot that falls out of the cache while in use is harmless: its user meets the next one as a conflict.
    fn slot(&self, tenant: TenantId, run: RunId) -> Slot {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.get_or_insert((tenant, run), Slot::default))
    }

    /// Asking for runs that do not exist must not push those that do out of the cache.
    fn forget_absent(&self, at: (TenantId, RunId), folded: &Run) {
        if !folded.exists() {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).pop(&at);
        }
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

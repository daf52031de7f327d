//! The clock starts queued runs when their tenant has a free slot, retries failed blocks when due, and runs the reactors that
//! other crates register. One process works at a time, by lease.
//!
//! It follows the log, keeps state in memory and saves it to tables that can be dropped. It decides nothing: a command's id
//! derives from the event that caused it, so issuing a command twice changes nothing.

mod admissions;
mod block_retries;
mod cleanup;
mod lost_blocks;
mod provider_probes;
mod reactor;
mod retry_timers;
mod run_starts;
mod slots;
mod timers;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt as _;
use luci_schema::{
    Actor, CommandId, EventId, Micros, Position, Recorded, RunId, TenantId,
    log::{Log, LogError},
};
use tokio::{sync::Semaphore, task::JoinSet, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    follow,
    issue::Cause,
    lease_guard::{LeaseGuard, LeaseOptions},
    retry_pause::RetryPause,
};

pub use self::{
    admissions::{active_runs, open_runs},
    block_retries::{BlockRetries, ProviderProbe},
    cleanup::Cleanup,
    lost_blocks::LostBlocks,
    reactor::{Command, Reactor},
    run_starts::RunStarts,
};

#[derive(Debug, Clone)]
pub struct ClockOptions {
    pub lease: LeaseOptions,
    /// Interval of saves of its tables; only a restart reads them.
    pub save_every: Duration,
    /// Run every hour.
    pub cleanups: Vec<Cleanup>,
}

impl ClockOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { lease: LeaseOptions::owned_by(owner), save_every: Duration::from_millis(500), cleanups: Vec::new() }
    }
}

/// Events folded at once.
const BATCH_SIZE: usize = 1_000;
/// Commands issued concurrently.
const MAX_CONCURRENT_COMMANDS: usize = 64;
/// Longest wait for something due: the clock that due times are compared with may be corrected meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const CLEAN_EVERY: Duration = Duration::from_secs(3_600);
/// Longest wait for commands in flight at shutdown.
const DRAIN: Duration = Duration::from_secs(2);

/// Works until `stop`, while it holds lease `clock`.
///
/// # Errors
/// Only for a log that cannot be followed: a hole in it, or an event that cannot be decoded.
pub async fn run(
    options: ClockOptions,
    mut reactors: Vec<Box<dyn Reactor>>,
    log: Log,
    stop: CancellationToken,
) -> Result<(), LogError> {
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "clock", &options.lease, &stop).await else { break };
        let ended = ClockSession { options: &options, log: &log, lease: &lease }.work(&mut reactors, &stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        lease.release(why.as_deref()).await;
        match ended {
            Ok(()) => pause = RetryPause::default(),
            Err(error @ (LogError::Database(_) | LogError::Fenced { .. })) if !error.is_damage() => {
                tracing::warn!(%error, "clock failed, restarting");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause.next()) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "clock stopped");
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The clock while it holds the lease.
struct ClockSession<'a> {
    options: &'a ClockOptions,
    log: &'a Log,
    lease: &'a LeaseGuard,
}

/// The reactors and how far they are.
struct ReactorState<'a> {
    reactors: &'a mut [Box<dyn Reactor>],
    /// Folded up to here.
    folded: Position,
    /// Saved to the tables up to here.
    saved: Position,
}

impl ReactorState<'_> {
    fn fold(&mut self, batch: &[Arc<Recorded>]) {
        for recorded in batch {
            self.reactors.iter_mut().for_each(|reactor| reactor.fold(recorded));
            self.folded = recorded.position;
        }
    }

    fn until_due(&self) -> Duration {
        let next = self.reactors.iter().filter_map(|reactor| reactor.next_due()).min();
        let wait = next.map_or(i64::MAX, |due| due.0.saturating_sub(Micros::now().0));
        Duration::from_micros(wait.max(0).unsigned_abs()).min(LONGEST_WAIT)
    }
}

impl ClockSession<'_> {
    async fn work(&self, reactors: &mut [Box<dyn Reactor>], stop: &CancellationToken) -> Result<(), LogError> {
        let mut state = self.load(reactors).await?;
        let start_head = self.log.newest().await?;
        let mut commands = CommandTasks::default();
        let mut batches = pin!(follow::batches(self.log.clone(), state.folded, BATCH_SIZE));
        let mut save = interval(self.options.save_every);
        let mut clean = interval(CLEAN_EVERY);
        // A task of its own: the deletions of an hour must not delay a start.
        let mut cleanup: Option<AbortOnDropHandle<()>> = None;
        loop {
            // Do not issue commands until the log is folded to the head: a due command may already be done.
            if state.folded >= start_head {
                for reactor in state.reactors.iter_mut() {
                    commands.spawn(reactor.take(Micros::now()));
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.lease.lost().cancelled() => return Ok(()),
                Some(batch) = batches.next() => state.fold(&batch?),
                Some(()) = commands.ended() => {}
                () = tokio::time::sleep(state.until_due()) => {}
                _ = save.tick() => self.save(&mut state).await?,
                _ = clean.tick(), if cleanup.as_ref().is_none_or(AbortOnDropHandle::is_finished) => {
                    cleanup = Some(AbortOnDropHandle::new(tokio::spawn(self.clean())));
                }
            }
        }
        commands.drain().await;
        self.save(&mut state).await
    }

    fn clean(&self) -> impl Future<Output = ()> + 'static + use<> {
        let (cleanups, log, pool) = (self.options.cleanups.clone(), self.log.clone(), self.lease.pool().clone());
        async move { cleanup::run(&cleanups, &log, &pool).await }
    }

    async fn load<'r>(&self, reactors: &'r mut [Box<dyn Reactor>]) -> Result<ReactorState<'r>, LogError> {
        let mut c = self.lease.pool().acquire().await?;
        for reactor in reactors.iter_mut() {
            reactor.load(&mut c).await?;
        }
        let at = self.lease.position();
        Ok(ReactorState { reactors, folded: at, saved: at })
    }

    /// Saves tables and checkpoint in one transaction, without waiting for the disk: what a crash loses is folded again.
    async fn save(&self, state: &mut ReactorState<'_>) -> Result<(), LogError> {
        if state.saved == state.folded {
            return Ok(());
        }
        let mut tx = self.lease.pool().begin().await?;
        sqlx::query("set local synchronous_commit = off").execute(&mut *tx).await?;
        for reactor in state.reactors.iter_mut() {
            reactor.save(&mut tx).await?;
        }
        self.lease.checkpoint(&mut tx, state.saved, state.folded).await?;
        tx.commit().await?;
        state.saved = state.folded;
        Ok(())
    }
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Commands in flight, concurrent with the follower.
struct CommandTasks {
    tasks: JoinSet<()>,
    permits: Arc<Semaphore>,
}

impl Default for CommandTasks {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), permits: Arc::new(Semaphore::new(MAX_CONCURRENT_COMMANDS)) }
    }
}

impl CommandTasks {
    fn spawn(&mut self, commands: Vec<Command>) {
        for command in commands {
            let permits = Arc::clone(&self.permits);
            self.tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                command.await;
            });
        }
    }

    /// Waits for the next command to end; `None` when none is in flight.
    async fn ended(&mut self) -> Option<()> {
        let ended = self.tasks.join_next().await?;
        if let Err(error) = ended {
            tracing::error!(%error, "clock command panicked");
        }
        Some(())
    }

    async fn drain(mut self) {
        let all = async { while self.ended().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::info!(
                commands = self.tasks.len(),
                "clock stopped with commands in flight; the next clock issues them again"
            );
        }
    }
}

/// The cause of a command that follows from an event; the command's id derives from that event.
fn cause(command: &str, tenant: TenantId, run: RunId, event: EventId) -> Cause {
    Cause {
        actor: Actor::System,
        command: CommandId::derive(&["clock", command, &tenant.to_string(), &run.to_string(), &event.to_string()]),
        correlation: None,
        causation: Some(event),
        receipt: None,
        if_match: None,
    }
}

//! Group commit: one task per process, on its own connection, writes everything that was queued during its last commit.
//!
//! It never waits for a batch to fill: while a commit runs, the next batch queues up. When the statement fails because another
//! process was first, heads and receipts are read and the batch is decided again. A member that Postgres rejects is found by
//! halving the batch. After a lost connection, an append's events are looked up by id before it is reported as a conflict.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use sqlx::{ConnectOptions, Error, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};

use super::{
    LogError, LogOptions, answer,
    append::{AppendError, Appended, MAX_APPEND_BYTES, Prepared},
    append_cache::{AppendCache, CacheUse, already_appended},
    append_failure::{AppendFailure, append_failure, past_head, with_timeout},
    batch::{AppendVerdict, BatchPlan},
    blocking::log_blocking_session,
    head, statement,
    wake::{LogState, jittered},
};
use crate::{Micros, Position};

/// Events of one batch at most, unless a single append has more.
const BATCH_EVENTS: usize = 1_000;
/// Conflicts of one batch before it fails; each conflict removes at least one member.
const MAX_CONFLICTS: u32 = 2_000;
/// An append waits so long for another session's lock. Commands fail with it, as temporary.
const LOCK_TIMEOUT: &str = "4s";

/// One queued append.
#[derive(Debug)]
pub(super) struct Pending {
    pub append: Prepared,
    pub answer: oneshot::Sender<Result<Appended, AppendError>>,
    /// The connection was lost during its commit: it may be in the log.
    pub uncertain: bool,
}

struct Batch {
    members: Vec<Pending>,
    cache: CacheUse,
    tries: u32,
    started: Instant,
}

impl Batch {
    fn new(members: Vec<Pending>) -> Self {
        Self { members, cache: CacheUse::Cached, tries: 0, started: Instant::now() }
    }
}

pub(super) struct Appender {
    queue: mpsc::Receiver<Pending>,
    state: Arc<LogState>,
    address: PgConnectOptions,
    patience: Duration,
    connection: Option<PgConnection>,
    cache: AppendCache,
}

impl Appender {
    pub fn new(
        queue: mpsc::Receiver<Pending>,
        state: Arc<LogState>,
        options: &LogOptions,
        address: PgConnectOptions,
    ) -> Self {
        // One generic plan that is right for tables of any size: index lookups, row by row.
        let address = address.application_name("luci-append").options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("lock_timeout", LOCK_TIMEOUT),
        ]);
        let size = |entries: usize| NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
        let cache = AppendCache::new(size(options.heads), size(options.receipts));
        Self { queue, state, address, patience: options.patience, connection: None, cache }
    }

    /// Runs until the last `Log` is dropped and all queued appends are answered.
    pub async fn run(mut self) {
        let mut leftover = None;
        loop {
            let first = match leftover.take() {
                Some(pending) => pending,
                None => match self.queue.recv().await {
                    Some(pending) => pending,
                    None => return,
                },
            };
            // Lets the callers that were just answered queue their next append, so that it joins this batch.
            tokio::task::yield_now().await;
            let members = self.gather(first, &mut leftover);
            self.settle(Batch::new(members)).await;
        }
    }

    fn gather(&mut self, first: Pending, leftover: &mut Option<Pending>) -> Vec<Pending> {
        let (mut events, mut bytes) = (first.append.events.len(), first.append.bytes);
        let mut members = vec![first];
        while let Ok(next) = self.queue.try_recv() {
            events += next.append.events.len();
            bytes += next.append.bytes;
            if events > BATCH_EVENTS || bytes > MAX_APPEND_BYTES {
                *leftover = Some(next);
                break;
            }
            members.push(next);
        }
        members
    }

    /// Answers every member of the batch, in as many transactions as it takes.
    async fn settle(&mut self, batch: Batch) {
        let mut work = vec![batch];
        while let Some(mut batch) = work.pop() {
            match self.attempt(&mut batch).await {
                Ok(deferred) if deferred.is_empty() => {}
                Ok(deferred) => work.push(Batch::new(deferred)),
                Err(error) => self.recover(batch, error, &mut work).await,
            }
        }
    }

    /// Decides, commits and answers a batch; returns the members that must wait for others of it.
    async fn attempt(&mut self, batch: &mut Batch) -> Result<Vec<Pending>, Error> {
        let now = Micros::now();
        let c = match &mut self.connection {
            Some(c) => c,
            None => self.connection.insert(with_timeout(self.address.connect()).await?),
        };
        let mut appends: Vec<&mut Prepared> = batch.members.iter_mut().map(|p| &mut p.append).collect();
        let mut plan = with_timeout(self.cache.decide(c, &mut appends, batch.cache, now)).await?;
        find_already_appended(c, &batch.members, &mut plan).await?;
        let accepted: Vec<&Prepared> = accepted(&batch.members, &plan).collect();
        let mut head = self.state.head();
        if !accepted.is_empty() {
            let started = Instant::now();
            head = with_timeout(statement::append(c, &accepted, &plan.moves, now, self.state.known())).await?;
            histogram!("luci_append_commit_seconds").record(started.elapsed().as_secs_f64());
            let events = accepted.iter().map(|append| append.events.len()).sum::<usize>();
            histogram!("luci_append_batch_events").record(events as f64);
            tracing::debug!(position = head.0, events, appends = accepted.len(), "batch committed");
        }
        Ok(self.answer(std::mem::take(&mut batch.members), plan, head))
    }

    /// After the commit, wakes readers, then answers the callers.
    fn answer(&mut self, members: Vec<Pending>, plan: BatchPlan, head: Position) -> Vec<Pending> {
        self.cache.moved(&plan.moves);
        let total: usize = accepted(&members, &plan).map(|append| append.events.len()).sum();
        let mut last = head.0 - total as u64;
        let mut committed = Vec::with_capacity(total);
        let mut answers = Vec::with_capacity(members.len());
        let mut deferred = Vec::new();
        for (mut pending, verdict) in members.into_iter().zip(plan.verdicts) {
            let answer = match verdict {
                AppendVerdict::Accepted => {
                    last += pending.append.events.len() as u64;
                    let appended = pending.append.placed(Position(last));
                    self.cache.done(&pending.append, &appended);
                    committed.extend(appended.events.iter().cloned());
                    Ok(appended)
                }
                AppendVerdict::AlreadyAppended(appended) => {
                    self.state.committed(&appended.events);
                    Ok(appended)
                }
                AppendVerdict::Conflict { actual } => {
                    counter!("luci_append_conflicts_total").increment(1);
                    Err(AppendError::Conflict { actual })
                }
                AppendVerdict::OtherTenant => Err(AppendError::NotFound),
                AppendVerdict::AlreadyDone(receipt) => Err(AppendError::AlreadyDone(receipt)),
                AppendVerdict::Deferred => {
                    deferred.push(pending);
                    continue;
                }
            };
            answers.push((pending.answer, answer));
        }
        self.state.committed(&committed);
        for (to, answer) in answers {
            // Fails only when the caller has dropped its future.
            let _ = to.send(answer);
        }
        deferred
    }

    /// Queues the members of a failed batch again, or fails them.
    async fn recover(&mut self, mut batch: Batch, error: Error, work: &mut Vec<Batch>) {
        let mut failure = append_failure(&error);
        if failure == AppendFailure::NoPartition {
            failure = if self.create_partitions().await { AppendFailure::Conflict } else { AppendFailure::Rejected };
        }
        batch.tries += 1;
        batch.cache = CacheUse::Reload;
        match failure {
            AppendFailure::Conflict if batch.tries < MAX_CONFLICTS => {
                counter!("luci_append_overtaken_total").increment(1);
                work.push(batch);
            }
            AppendFailure::Disconnected if batch.started.elapsed() < self.patience && self.reconnect(&error).await => {
                // Also for a server that accepts connections but then drops them.
                tokio::time::sleep(jittered(Duration::from_millis(10) * batch.tries.min(100))).await;
                batch.members.iter_mut().for_each(|pending| pending.uncertain = true);
                work.push(batch);
            }
            AppendFailure::Blocked => {
                if let Some(c) = &mut self.connection {
                    log_blocking_session(c).await;
                }
                answer::fail(batch.members, error, None);
            }
            AppendFailure::Halted => {
                answer::halted(batch.members, &error);
                // Finds out whether this process is the first to see it.
                self.state.check_head();
            }
            AppendFailure::Rejected if batch.members.len() > 1 => {
                let second = batch.members.split_off(batch.members.len() / 2);
                work.push(Batch { members: second, cache: CacheUse::Reload, tries: 0, started: batch.started });
                work.push(batch);
            }
            AppendFailure::Conflict
            | AppendFailure::Disconnected
            | AppendFailure::Rejected
            | AppendFailure::NoPartition => {
                let beyond = past_head(self.connection.as_mut(), &error).await;
                answer::fail(batch.members, error, beyond);
            }
        }
    }

    async fn create_partitions(&mut self) -> bool {
        let Some(c) = &mut self.connection else { return false };
        let created = head::ensure_partitions(c).await;
        if let Err(error) = &created {
            tracing::error!(%error, "log partition creation failed");
        }
        created.is_ok()
    }

    /// Reconnects, for at most `patience`.
    async fn reconnect(&mut self, error: &Error) -> bool {
        tracing::warn!(%error, "log connection lost, reconnecting");
        self.connection = None;
        let started = Instant::now();
        let mut pause = Duration::from_millis(20);
        while started.elapsed() < self.patience {
            if let Ok(connection) = with_timeout(self.address.connect()).await {
                self.connection = Some(connection);
                return true;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        false
    }
}

fn accepted<'a>(members: &'a [Pending], plan: &'a BatchPlan) -> impl Iterator<Item = &'a Prepared> {
    let pairs = members.iter().zip(&plan.verdicts);
    pairs.filter(|(_, verdict)| matches!(verdict, AppendVerdict::Accepted)).map(|(pending, _)| &pending.append)
}

/// An uncertain member may conflict with its own events, appended before the connection was lost.
async fn find_already_appended(c: &mut PgConnection, members: &[Pending], plan: &mut BatchPlan) -> Result<(), Error> {
    for (pending, verdict) in members.iter().zip(&mut plan.verdicts) {
        if pending.uncertain && matches!(verdict, AppendVerdict::Conflict { .. } | AppendVerdict::AlreadyDone(_)) {
            match with_timeout(already_appended(c, &pending.append)).await {
                Ok(Some(appended)) => *verdict = AppendVerdict::AlreadyAppended(appended),
                Ok(None) => {}
                Err(LogError::Database(error)) => return Err(error),
                Err(error) => return Err(Error::Decode(error.into())),
            }
        }
    }
    Ok(())
}

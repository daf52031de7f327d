//! Group commit: one task a process, on a connection of its own, writes whatever queued up during its last commit.
//!
//! No lingering: while a commit runs, the next batch collects itself. When the statement refuses because another process was
//! first, everything is looked up and decided again. A member that Postgres will not have is found by halving the batch.
//! After a lost connection an append is looked for by its events' ids before anybody is told that it came too late.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use sqlx::{ConnectOptions, Error, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};

use super::{
    LogError, LogOptions,
    append::{AppendError, Appended, MAX_APPEND_BYTES, Prepared},
    batch::{Plan, Verdict},
    memory::{Memory, Trust, landed},
    statement,
    trouble::{Trouble, repeated, trouble},
    wake::{Shared, jittered},
};
use crate::{Micros, Position};

/// Events that one batch may hold, unless a single append holds more.
const BATCH_EVENTS: usize = 1_000;
/// Times that a batch is decided anew before it is given up: each time at least one member falls out of it.
const TRIES: u32 = 2_000;
/// A statement that takes longer has lost its connection, whatever TCP thinks.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);

/// One append that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub append: Prepared,
    pub answer: oneshot::Sender<Result<Appended, AppendError>>,
    /// The connection was lost while it was being written: it may be in the log.
    pub uncertain: bool,
}

struct Batch {
    members: Vec<Pending>,
    trust: Trust,
    tries: u32,
    begun: Instant,
}

impl Batch {
    fn new(members: Vec<Pending>) -> Self {
        Self { members, trust: Trust::Memory, tries: 0, begun: Instant::now() }
    }
}

pub(super) struct Appender {
    queue: mpsc::Receiver<Pending>,
    shared: Arc<Shared>,
    address: PgConnectOptions,
    patience: Duration,
    connection: Option<PgConnection>,
    memory: Memory,
}

impl Appender {
    pub fn new(
        queue: mpsc::Receiver<Pending>,
        shared: Arc<Shared>,
        options: &LogOptions,
        address: PgConnectOptions,
    ) -> Self {
        // One plan for good, and the one that is right for tables of any size: row by row over the indexes.
        let address = address.application_name("luci-append").options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        let size = |entries: usize| NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
        let memory = Memory::new(size(options.heads), size(options.receipts));
        Self { queue, shared, address, patience: options.patience, connection: None, memory }
    }

    /// Runs until the last handle of the log is gone and all that queued is answered.
    pub async fn run(mut self) {
        let mut carried = None;
        loop {
            let first = match carried.take() {
                Some(pending) => pending,
                None => match self.queue.recv().await {
                    Some(pending) => pending,
                    None => return,
                },
            };
            // Callers that the last commit answered are ready to ask again: they go first, which takes no time of its own.
            tokio::task::yield_now().await;
            let members = self.gather(first, &mut carried);
            self.settle(Batch::new(members)).await;
        }
    }

    fn gather(&mut self, first: Pending, carried: &mut Option<Pending>) -> Vec<Pending> {
        let (mut events, mut bytes) = (first.append.events.len(), first.append.bytes);
        let mut members = vec![first];
        while let Ok(next) = self.queue.try_recv() {
            events += next.append.events.len();
            bytes += next.append.bytes;
            if events > BATCH_EVENTS || bytes > MAX_APPEND_BYTES {
                *carried = Some(next);
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

    /// Decides, commits and answers a batch; members that must wait for others of it are handed back.
    async fn attempt(&mut self, batch: &mut Batch) -> Result<Vec<Pending>, Error> {
        let now = Micros::now();
        let c = match &mut self.connection {
            Some(c) => c,
            None => self.connection.insert(in_time(self.address.connect()).await?),
        };
        let mut appends: Vec<&mut Prepared> = batch.members.iter_mut().map(|p| &mut p.append).collect();
        let mut plan = in_time(self.memory.decide(c, &mut appends, batch.trust, now)).await?;
        look_for_landed(c, &batch.members, &mut plan).await?;
        let accepted: Vec<&Prepared> = accepted(&batch.members, &plan).collect();
        let mut head = self.shared.head();
        if !accepted.is_empty() {
            let started = Instant::now();
            head = in_time(statement::append(c, &accepted, &plan.moves, now)).await?;
            histogram!("luci_append_commit_seconds").record(started.elapsed().as_secs_f64());
            histogram!("luci_append_batch_events")
                .record(accepted.iter().map(|a| a.events.len()).sum::<usize>() as f64);
        }
        Ok(self.answer(std::mem::take(&mut batch.members), plan, head))
    }

    /// After the commit: readers first, then the callers.
    fn answer(&mut self, members: Vec<Pending>, plan: Plan, head: Position) -> Vec<Pending> {
        self.memory.moved(&plan.moves);
        let total: usize = accepted(&members, &plan).map(|append| append.events.len()).sum();
        let mut last = head.0 - total as u64;
        let mut committed = Vec::with_capacity(total);
        let mut answers = Vec::with_capacity(members.len());
        let mut deferred = Vec::new();
        for (mut pending, verdict) in members.into_iter().zip(plan.verdicts) {
            let answer = match verdict {
                Verdict::Accepted => {
                    last += pending.append.events.len() as u64;
                    let appended = pending.append.placed(Position(last));
                    self.memory.done(&pending.append, &appended);
                    committed.extend(appended.events.iter().cloned());
                    Ok(appended)
                }
                Verdict::Landed(appended) => {
                    self.shared.committed(&appended.events);
                    Ok(appended)
                }
                Verdict::Lost { actual } => {
                    counter!("luci_append_conflicts_total").increment(1);
                    Err(AppendError::Conflict { actual })
                }
                Verdict::Foreign => Err(AppendError::NotFound),
                Verdict::Done(receipt) => Err(AppendError::AlreadyDone(receipt)),
                Verdict::Deferred => {
                    deferred.push(pending);
                    continue;
                }
            };
            answers.push((pending.answer, answer));
        }
        self.shared.committed(&committed);
        for (to, answer) in answers {
            // A caller that went away needs no answer.
            let _ = to.send(answer);
        }
        deferred
    }

    /// Puts what is left of a failed batch back to work, or gives it up.
    async fn recover(&mut self, mut batch: Batch, error: Error, work: &mut Vec<Batch>) {
        let mut trouble = trouble(&error);
        if trouble == Trouble::NoPartition {
            trouble = if self.make_partitions().await { Trouble::Overtaken } else { Trouble::Refused };
        }
        batch.tries += 1;
        batch.trust = Trust::Nothing;
        match trouble {
            Trouble::Overtaken if batch.tries < TRIES => {
                counter!("luci_append_overtaken_total").increment(1);
                work.push(batch);
            }
            Trouble::Disconnected if batch.begun.elapsed() < self.patience && self.reconnect(&error).await => {
                // A server that takes connections and then drops or refuses each is given time, too.
                tokio::time::sleep(jittered(Duration::from_millis(10) * batch.tries.min(100))).await;
                batch.members.iter_mut().for_each(|pending| pending.uncertain = true);
                work.push(batch);
            }
            Trouble::Refused if batch.members.len() > 1 => {
                let second = batch.members.split_off(batch.members.len() / 2);
                work.push(Batch { members: second, trust: Trust::Nothing, tries: 0, begun: batch.begun });
                work.push(batch);
            }
            _ => give_up(batch.members, error),
        }
    }

    async fn make_partitions(&mut self) -> bool {
        match &mut self.connection {
            Some(c) => statement::ensure_partitions(c).await.is_ok(),
            None => false,
        }
    }

    /// Makes the connection anew, for as long as patience lasts.
    async fn reconnect(&mut self, error: &Error) -> bool {
        tracing::warn!(error = %error, "the log's connection was lost");
        self.connection = None;
        let started = Instant::now();
        let mut pause = Duration::from_millis(20);
        while started.elapsed() < self.patience {
            if let Ok(connection) = in_time(self.address.connect()).await {
                self.connection = Some(connection);
                return true;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        false
    }
}

fn accepted<'a>(members: &'a [Pending], plan: &'a Plan) -> impl Iterator<Item = &'a Prepared> {
    let pairs = members.iter().zip(&plan.verdicts);
    pairs.filter(|(_, verdict)| matches!(verdict, Verdict::Accepted)).map(|(pending, _)| &pending.append)
}

/// A member that seems too late, and may be so because it was first itself.
async fn look_for_landed(c: &mut PgConnection, members: &[Pending], plan: &mut Plan) -> Result<(), Error> {
    for (pending, verdict) in members.iter().zip(&mut plan.verdicts) {
        if pending.uncertain && matches!(verdict, Verdict::Lost { .. } | Verdict::Done(_)) {
            match in_time(landed(c, &pending.append)).await {
                Ok(Some(appended)) => *verdict = Verdict::Landed(appended),
                Ok(None) => {}
                Err(LogError::Database(error)) => return Err(error),
                Err(error) => return Err(Error::Decode(error.into())),
            }
        }
    }
    Ok(())
}

async fn in_time<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::time::timeout(STATEMENT_LIMIT, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
    }
}

fn give_up(members: Vec<Pending>, error: Error) {
    tracing::error!(error = %error, appends = members.len(), "an append was given up");
    let mut error = Some(error);
    let count = members.len();
    for (index, pending) in members.into_iter().enumerate() {
        let each = match &error {
            Some(error) if index + 1 < count => repeated(error),
            _ => match error.take() {
                Some(error) => error,
                None => return,
            },
        };
        let _ = pending.answer.send(Err(AppendError::Database(each)));
    }
}

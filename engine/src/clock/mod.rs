//! The clock: starts runs when a slot is free, retries blocks when they are due, and starts what automations want. One
//! works, by lease.
//!
//! It follows the log, keeps what it needs in memory, and writes that behind itself into tables that can be dropped.
//! It decides nothing: each command's id derives from the event that set it, and a command that is already in effect is
//! refused, so firing twice changes nothing.

mod admissions;
mod automations;
mod due;
mod fire;
mod launch;
mod slots;
mod timers;
mod watch_table;
mod watched;

use std::{pin::pin, time::Duration};

use futures::StreamExt as _;
use luci_schema::{
    Micros, Position,
    log::{Log, LogError},
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::{automations::Automations, due::Due, fire::Firing, slots::Slots};
use crate::{
    follow,
    issue::Issuer,
    relay::Pause,
    storage::Storage,
    tenure::{Tenure, TenureOptions},
};

/// How the clock works.
#[derive(Debug, Clone)]
pub struct ClockOptions {
    pub tenure: TenureOptions,
    /// Between two writes of its tables; only a restart reads them.
    pub save: Duration,
}

impl ClockOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { tenure: TenureOptions::owned_by(owner), save: Duration::from_millis(500) }
    }
}

/// Events folded at once.
const BATCH: usize = 1_000;
/// Between two looks at Postgres' clock and the log's partitions.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// Between two clearings of what is kept for a time only.
const CLEARING: Duration = Duration::from_secs(3_600);
/// How long a command is answered again as it was.
const RECEIPTS_KEPT_MS: i64 = 30 * 86_400_000;

/// Works until told to stop; stands by while another holds lease `clock`. Fails only on a log that cannot be followed.
/// `storage` holds what webhooks said.
pub async fn run(
    options: ClockOptions,
    issuer: Issuer,
    (log, storage): (Log, Storage),
    stop: CancellationToken,
) -> Result<(), LogError> {
    let mut pause = Pause::default();
    while !stop.is_cancelled() {
        let Some(tenure) = Tenure::begin(log.pool(), "clock", &options.tenure, &stop).await else { break };
        let ended =
            Held { options: &options, log: &log, storage: &storage, tenure: &tenure }.work(&issuer, &stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        tenure.end(why.as_deref()).await;
        match ended {
            Ok(()) => pause = Pause::default(),
            Err(error @ (LogError::Database(_) | LogError::Fenced { .. })) => {
                tracing::warn!(%error, "the clock begins again");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause.next()) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "the clock stopped");
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The clock while it holds the lease.
struct Held<'a> {
    options: &'a ClockOptions,
    log: &'a Log,
    storage: &'a Storage,
    tenure: &'a Tenure,
}

/// What the clock knows.
struct Known {
    slots: Slots,
    due: Due,
    automations: Automations,
    /// Folded up to here.
    at: Position,
    /// In the tables up to here.
    saved: Position,
    /// Postgres' clock minus this process's, in microseconds.
    ahead: i64,
}

impl Known {
    /// Postgres' clock, as far as it was asked.
    fn now(&self) -> Micros {
        Micros(Micros::now().0.saturating_add(self.ahead))
    }

    /// How long until something is due.
    fn until_due(&self) -> Duration {
        let next = self.due.next().into_iter().chain(self.automations.next()).min();
        let wait = next.map_or(i64::MAX, |due| due.0.saturating_sub(self.now().0));
        Duration::from_micros(wait.max(0).unsigned_abs()).min(HOUSEKEEPING)
    }
}

impl Held<'_> {
    async fn work(&self, issuer: &Issuer, stop: &CancellationToken) -> Result<(), LogError> {
        let mut known = self.load().await?;
        let caught_up = self.log.newest().await?;
        let mut firing = Firing::new(issuer.clone());
        let mut source = pin!(follow::batches(self.log.clone(), known.at, BATCH));
        let mut save = tokio::time::interval(self.options.save);
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut clearing = tokio::time::interval(CLEARING);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clearing.set_missed_tick_behavior(MissedTickBehavior::Delay);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // What was due before this clock's time may long have happened: first all of that is read.
            if known.at >= caught_up {
                firing.starts(known.slots.admit());
                let now = known.now();
                firing.retries(known.due.take(now));
                firing.launches(known.automations.take(now), self.log, self.storage);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.tenure.lost().cancelled() => return Ok(()),
                Some(batch) = source.next() => known.fold(&batch?),
                Some(fired) = firing.next() => fired.settle(&mut known),
                () = tokio::time::sleep(known.until_due()) => {}
                _ = save.tick() => self.save(&mut known).await?,
                _ = housekeeping.tick() => self.keep_house(&mut known).await?,
                _ = clearing.tick() => self.clear().await,
            }
        }
        firing.finish(&mut known).await;
        self.save(&mut known).await
    }

    async fn load(&self) -> Result<Known, LogError> {
        let mut c = self.tenure.pool().acquire().await?;
        let slots = admissions::load(&mut c).await?;
        let due = timers::load(&mut c).await?;
        let automations = watch_table::load(&mut c).await?;
        let at = self.tenure.position();
        Ok(Known { slots, due, automations, at, saved: at, ahead: 0 })
    }

    /// Tables and checkpoint in one transaction. Not flushed to disk: what is lost is folded again.
    async fn save(&self, known: &mut Known) -> Result<(), LogError> {
        metrics::gauge!("luci_runs_waiting").set(known.slots.waiting() as f64);
        if known.saved == known.at {
            return Ok(());
        }
        let mut tx = self.tenure.pool().begin().await?;
        sqlx::query("set local synchronous_commit = off").execute(&mut *tx).await?;
        admissions::save(&mut tx, &known.slots).await?;
        timers::save(&mut tx, &known.due).await?;
        watch_table::save(&mut tx, &known.automations).await?;
        self.tenure.checkpoint(&mut tx, known.saved, known.at).await?;
        tx.commit().await?;
        known.slots.changed_runs.clear();
        known.slots.changed_limits.clear();
        known.due.changed.clear();
        known.automations.changed.clear();
        known.saved = known.at;
        Ok(())
    }

    /// Forgets what has been kept long enough. What fails now is done an hour later.
    async fn clear(&self) {
        let traces = async { crate::provider::forget_old_traces(&mut *self.tenure.pool().acquire().await?).await };
        match traces.await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old uploads to providers forgotten"),
            Err(error) => tracing::warn!(%error, "old uploads to providers are forgotten later"),
        }
        match self.log.forget_receipts(Micros::now().plus_millis(-RECEIPTS_KEPT_MS)).await {
            Ok(0) => {}
            Ok(receipts) => tracing::info!(receipts, "old receipts forgotten"),
            Err(error) => tracing::warn!(%error, "old receipts are forgotten later"),
        }
    }

    async fn keep_house(&self, known: &mut Known) -> Result<(), LogError> {
        let mut c = self.tenure.pool().acquire().await?;
        let (before, theirs, after) = (Micros::now(), timers::now(&mut c).await?, Micros::now());
        known.ahead = theirs.0 - (before.0 + after.0) / 2;
        Ok(())
    }
}

impl Known {
    fn fold(&mut self, batch: &[std::sync::Arc<luci_schema::Recorded>]) {
        for recorded in batch {
            self.slots.fold(recorded);
            self.due.fold(recorded);
            self.automations.fold(recorded);
            self.at = recorded.position;
        }
    }
}

//! The projector: follows the log under lease `projector` and keeps the read tables. Rows and checkpoint are one
//! transaction, guarded by epoch and position, so every event is folded exactly once however often the process dies.

use std::{sync::Arc, time::Duration};

use luci_schema::{
    Micros, Position, Recorded,
    log::{self, Lease, Log, LogError},
};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    FOLLOWER, batch,
    fold::{Fold, FoldError},
};

/// Events a batch at most.
const BATCH: usize = 5_000;
/// The lease: over after so long without renewal, renewed each so often.
const TTL: Duration = Duration::from_secs(6);
const RENEW: Duration = Duration::from_secs(2);
/// Between two tries for the lease, or after a database error.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks at the active projector's position, by one that stands by.
const LOOK: Duration = Duration::from_millis(40);
/// Batches begin this far apart at least: under load several commits of the log become one of the tables. A projector with
/// much to do rests as long as it works, so that the tables leave room to the work they tell of, within a bound. One that is
/// behind by more than a batch does not rest.
const PACE: Duration = Duration::from_millis(10);
const SLOWEST_PACE: Duration = Duration::from_millis(200);

/// Why the tables could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    #[error("the read tables' database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}

impl ProjectorError {
    /// Trying again cannot help: the event itself cannot be folded or written.
    fn poison(&self) -> bool {
        match self {
            Self::Fold(_) | Self::Log(LogError::Hole { .. } | LogError::Corrupt(_)) => true,
            Self::Log(LogError::Database(_) | LogError::Fenced { .. }) => false,
            // Data that does not fit its column, or breaks a constraint.
            Self::Database(error) => {
                let code = error.as_database_error().and_then(|e| e.code());
                code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
        }
    }
}

/// One process's projector. Any number may run; one is active by lease, the others stand by.
#[derive(Debug)]
pub struct Projector {
    log: Log,
    pool: PgPool,
    owner: String,
    lease: Duration,
    position: watch::Sender<Position>,
}

impl Projector {
    /// The pool's role is `luci_projector`. `owner` names the process in `log.followers`.
    pub fn new(log: Log, pool: PgPool, owner: impl Into<String>) -> Self {
        Self { log, pool, owner: owner.into(), lease: TTL, position: watch::Sender::new(Position(0)) }
    }

    /// A shorter lease, for tests of take-over.
    #[must_use]
    pub fn with_lease(mut self, ttl: Duration) -> Self {
        self.lease = ttl;
        self
    }

    /// The committed position, told at once while this projector is the active one, and within 40 ms while it stands by.
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Runs until stopped. After an event that cannot be folded it stands still, with the reason in
    /// `log.followers.last_error`, and answers that error once stopped.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ProjectorError> {
        while !stop.is_cancelled() {
            match Lease::acquire(&self.pool, FOLLOWER, &self.owner, self.lease).await {
                Ok(Some(lease)) => match self.lead(lease, &stop).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.poison() => {
                        tracing::error!(%error, "the projector stands still: an event cannot be folded");
                        stop.cancelled().await;
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the projector lost its lease or its database");
                        self.rest(&stop).await;
                    }
                },
                Ok(None) => self.stand_by(&stop).await,
                Err(error) => {
                    tracing::warn!(%error, "the projector's lease could not be asked for");
                    self.rest(&stop).await;
                }
            }
        }
        Ok(())
    }

    async fn rest(&self, stop: &CancellationToken) {
        tokio::select! { () = stop.cancelled() => {}, () = sleep(RETRY.min(self.lease)) => {} }
    }

    /// For a while tells how far the active one is: reads after writes in this process wait for it.
    async fn stand_by(&self, stop: &CancellationToken) {
        let until = Instant::now() + RETRY.min(self.lease);
        while Instant::now() < until && !stop.is_cancelled() {
            let Ok(mut c) = self.pool.acquire().await else { return };
            let Ok(position) = log::follower_position(&mut c, FOLLOWER).await else { return };
            drop(c);
            self.position.send_if_modified(|seen| std::mem::replace(seen, position) != position);
            sleep(LOOK).await;
        }
    }

    /// The active projector's life. An orderly end releases the lease.
    async fn lead(&self, mut lease: Lease, stop: &CancellationToken) -> Result<(), ProjectorError> {
        let mut c = connect(&self.pool).await?;
        lease.report(None).await?;
        tracing::info!(projector.epoch = lease.epoch(), log.position = lease.position().0, "the projector is active");
        let ended = self.follow(&mut c, &mut lease, stop).await;
        if let Err(error) = &ended
            && error.poison()
        {
            lease.report(Some(&error.to_string())).await?;
        }
        // A fenced lease is not ours any more; releasing is guarded by the epoch.
        lease.release().await;
        c.close().await.ok();
        ended
    }

    async fn follow(
        &self,
        c: &mut PgConnection,
        lease: &mut Lease,
        stop: &CancellationToken,
    ) -> Result<(), ProjectorError> {
        let (mut fold, mut served) = (Fold::default(), String::new());
        let mut position = lease.position();
        let mut limit = BATCH;
        let renew = RENEW.min(self.lease / 3);
        let mut renewed = Instant::now();
        self.position.send_replace(position);
        loop {
            if renewed.elapsed() >= renew {
                if !lease.renew().await? {
                    return Err(LogError::Fenced { name: FOLLOWER.into() }.into());
                }
                renewed = Instant::now();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                head = self.log.wait_past(position, renew.saturating_sub(renewed.elapsed())) => if head <= position { continue },
            }
            let began = Instant::now();
            let from = position;
            match self.step(c, (&mut fold, &mut served), lease, from, limit).await {
                Ok(next) => position = next,
                // One event at a time, so that the checkpoint comes to stand right before the bad one.
                Err(error) if error.poison() && limit > 1 => {
                    fold = Fold::default();
                    limit = 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.position.send_replace(position);
            if position.0 - from.0 < limit as u64 {
                sleep_until(began + (began.elapsed() * 2).clamp(PACE, SLOWEST_PACE)).await;
            }
        }
    }

    /// Folds the next batch; answers the position after it.
    async fn step(
        &self,
        c: &mut PgConnection,
        (fold, served): (&mut Fold, &mut String),
        lease: &Lease,
        from: Position,
        limit: usize,
    ) -> Result<Position, ProjectorError> {
        let events = self.log.read(from, limit).await?;
        let Some(last) = events.last() else { return Ok(from) };
        contiguous(&events, from)?;
        let mut tx = c.begin().await?;
        // Which version serves, held until the commit: a swap waits for it.
        let serving = sqlx::query_scalar("select set_config('search_path', public.read_serving(), true)");
        let serving: String = serving.fetch_one(&mut *tx).await?;
        if serving != *served {
            // Rows in memory are those of another version.
            *fold = Fold::default();
            *served = serving;
        }
        batch::fold_into(&mut tx, fold, &events).await?;
        log::checkpoint(&mut tx, FOLLOWER, lease.epoch(), from, last.position).await?;
        tx.commit().await?;
        fold.settle();
        metrics::counter!("luci_projection_events_total").increment(events.len() as u64);
        metrics::histogram!("luci_projection_batch_events").record(events.len() as f64);
        let lag = Micros::now().0.saturating_sub(last.recorded_at.0).max(0);
        metrics::histogram!("luci_projection_lag_seconds").record(lag as f64 / 1e6);
        metrics::gauge!("luci_projection_position").set(last.position.0 as f64);
        Ok(last.position)
    }
}

/// The follower's own check, beside the log's.
pub(crate) fn contiguous(events: &[Arc<Recorded>], from: Position) -> Result<(), LogError> {
    for (event, expected) in events.iter().zip(from.0 + 1..) {
        if event.position.0 != expected {
            return Err(LogError::Hole { expected: Position(expected), found: event.position });
        }
    }
    Ok(())
}

/// A connection of its own: its settings must not reach the next borrower of the pool. What is lost of these tables in a
/// crash is folded again, so commits need not wait for the disk.
pub(crate) async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let mut c = pool.acquire().await?.detach();
    sqlx::query("select set_config('synchronous_commit', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)")
        .execute(&mut c)
        .await?;
    Ok(c)
}

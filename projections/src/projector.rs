//! The projector: follows the log under lease `projector` and keeps the read tables. Rows and checkpoint are written in one
//! transaction, guarded by epoch and position, so every event is folded exactly once, whenever the process dies.

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
    fold::{Folds, Projection},
    fold_error::ProjectorError,
    position::FOLLOWER,
};

/// Most events of a batch.
const BATCH: usize = 5_000;
/// The lease expires after `TTL` without renewal, and is renewed every `RENEW`.
const TTL: Duration = Duration::from_secs(4);
const RENEW: Duration = Duration::from_secs(1);
/// Pause between two attempts to acquire the lease, and after a database error.
const RETRY: Duration = Duration::from_secs(1);
/// How often a standby reads the active projector's position.
const STANDBY_POLL: Duration = Duration::from_millis(40);
/// Least and greatest interval between the starts of two batches: under load several commits of the log become one of the
/// tables. Within these limits the projector pauses as long as a batch takes, to leave Postgres to the engine. A projector
/// that is behind by more than a batch does not pause.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);
const GREATEST_INTERVAL: Duration = Duration::from_millis(200);

/// The projector of one process. Any number may run; one is active, by lease, the others are standbys.
#[derive(Debug)]
pub struct Projector {
    log: Log,
    pool: PgPool,
    projections: &'static [Projection],
    owner: String,
    lease: Duration,
    position: watch::Sender<Position>,
}

impl Projector {
    /// The pool's role is `luci_projector`; `projections` is every projection. `owner` names the process in `log.followers`.
    pub fn new(log: Log, pool: PgPool, projections: &'static [Projection], owner: impl Into<String>) -> Self {
        let (owner, position) = (owner.into(), watch::Sender::new(Position(0)));
        Self { log, pool, projections, owner, lease: TTL, position }
    }

    /// Sets the lease's duration; tests of takeover use a short one.
    #[must_use]
    pub fn with_lease(mut self, ttl: Duration) -> Self {
        self.lease = ttl;
        self
    }

    /// The committed position: immediately while this projector is active, within 40 ms while it is a standby.
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Runs until stopped. At an event that cannot be folded it halts, with the reason in `log.followers.last_error`, and
    /// returns that error when it is stopped.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ProjectorError> {
        while !stop.is_cancelled() {
            match Lease::acquire(&self.pool, FOLLOWER, &self.owner, self.lease).await {
                Ok(Some(lease)) => match self.run_active(lease, &stop).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is_permanent() => {
                        tracing::error!(%error, "projector halted: event cannot be folded");
                        stop.cancelled().await;
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "projector failed; retrying");
                        self.pause(&stop).await;
                    }
                },
                Ok(None) => self.stand_by(&stop).await,
                Err(error) => {
                    tracing::warn!(%error, "projector lease request failed; retrying");
                    self.pause(&stop).await;
                }
            }
        }
        Ok(())
    }

    async fn pause(&self, stop: &CancellationToken) {
        tokio::select! { () = stop.cancelled() => {}, () = sleep(RETRY.min(self.lease)) => {} }
    }

    /// Publishes the active projector's position until the next attempt: reads of this process wait for positions.
    async fn stand_by(&self, stop: &CancellationToken) {
        let until = Instant::now() + RETRY.min(self.lease);
        while Instant::now() < until && !stop.is_cancelled() {
            let Ok(mut c) = self.pool.acquire().await else { return };
            let Ok(position) = log::follower_position(&mut c, FOLLOWER).await else { return };
            drop(c);
            self.position.send_if_modified(|seen| std::mem::replace(seen, position) != position);
            sleep(STANDBY_POLL).await;
        }
    }

    /// Follows the log while the lease is held. Releases it at the end.
    async fn run_active(&self, mut lease: Lease, stop: &CancellationToken) -> Result<(), ProjectorError> {
        let mut c = connect(&self.pool).await?;
        lease.report(None).await?;
        tracing::info!(projector.epoch = lease.epoch(), log.position = lease.position().0, "projector active");
        let ended = self.follow(&mut c, &mut lease, stop).await;
        if let Err(error) = &ended
            && error.is_permanent()
        {
            lease.report(Some(&error.to_string())).await?;
        }
        // The release of a fenced lease changes nothing: it is guarded by the epoch.
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
        let mut tables = ServingTables::default();
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
            let started = Instant::now();
            let from = position;
            match self.fold_batch(c, &mut tables, lease, from, limit).await {
                Ok(next) => position = next,
                // One event at a time, so that the checkpoint stops right before the bad one.
                Err(error) if error.is_permanent() && limit > 1 => {
                    tables = ServingTables::default();
                    limit = 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.position.send_replace(position);
            if position.0 - from.0 < limit as u64 {
                sleep_until(started + (started.elapsed() * 2).clamp(LEAST_INTERVAL, GREATEST_INTERVAL)).await;
            }
        }
    }

    /// Folds the next batch and returns its last position.
    async fn fold_batch(
        &self,
        c: &mut PgConnection,
        tables: &mut ServingTables,
        lease: &Lease,
        from: Position,
        limit: usize,
    ) -> Result<Position, ProjectorError> {
        let events = self.log.read(from, limit).await?;
        let Some(last) = events.last() else { return Ok(from) };
        contiguous(&events, from)?;
        let mut tx = c.begin().await?;
        let folds = tables.folds(&mut tx, self.projections).await?;
        folds.fold(&mut tx, &events).await?;
        log::checkpoint(&mut tx, FOLLOWER, lease.epoch(), from, last.position).await?;
        tx.commit().await?;
        folds.settle();
        metrics::counter!("luci_projection_events_total").increment(events.len() as u64);
        metrics::histogram!("luci_projection_batch_events").record(events.len() as f64);
        let lag = Micros::now().0.saturating_sub(last.recorded_at.0).max(0);
        metrics::histogram!("luci_projection_lag_seconds").record(lag as f64 / 1e6);
        metrics::gauge!("luci_projection_position").set(last.position.0 as f64);
        Ok(last.position)
    }
}

/// The version of the read tables that serves, and the folds whose rows in memory are of that version.
#[derive(Debug, Default)]
struct ServingTables {
    version: String,
    folds: Folds,
}

impl ServingTables {
    /// Sets the transaction's `search_path` to the serving version, which cannot be swapped before the transaction ends.
    async fn folds(&mut self, tx: &mut PgConnection, projections: &[Projection]) -> Result<&mut Folds, sqlx::Error> {
        let serving = sqlx::query_scalar("select set_config('search_path', public.read_serving(), true)");
        let serving: String = serving.fetch_one(&mut *tx).await?;
        if self.version != serving {
            self.folds = Folds::of_complete(tx, projections).await?;
            self.version = serving;
        }
        Ok(&mut self.folds)
    }
}

/// Checks that the batch follows `from` without a hole, though the log has checked it already.
pub(crate) fn contiguous(events: &[Arc<Recorded>], from: Position) -> Result<(), LogError> {
    for (event, expected) in events.iter().zip(from.0 + 1..) {
        if event.position.0 != expected {
            return Err(LogError::Hole { expected: Position(expected), found: event.position });
        }
    }
    Ok(())
}

/// A detached connection: its settings must not reach the next user of the pool. Commits need not wait for the disk, since
/// rows that a crash loses are folded again.
pub(crate) async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let mut c = pool.acquire().await?.detach();
    sqlx::query("select set_config('synchronous_commit', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)")
        .execute(&mut c)
        .await?;
    Ok(c)
}

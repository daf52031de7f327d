//! A second copy of the read tables, folded from position 0 beside those that serve, for a rebuild and the drift check.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_schema::{
    Position, Recorded, TenantId,
    log::{self, Log, LogError},
};
use sqlx::{Connection as _, PgConnection};

use crate::{
    fold::{Folds, Projection},
    fold_error::ProjectorError,
    position::FOLLOWER,
    projector, read_versions,
};

/// Events per read, concurrent reads (they decode on other cores), and most reads per transaction.
const READ: usize = 4_000;
const READS: usize = 3;
const READS_PER_WRITE: usize = 4;

/// Advisory lock that each batch of the projector holds shared, see migration 0200.
const SERVING_LOCK: i64 = 7_305_804_402;

#[derive(Debug)]
pub(crate) struct ShadowCopy {
    pub(crate) c: PgConnection,
    pub(crate) projections: &'static [Projection],
    folds: Folds,
    pub(crate) position: Position,
    /// Only this tenant's events are folded, when set.
    tenant: Option<TenantId>,
    /// The version in whose row each batch records its position.
    version: Option<String>,
}

impl ShadowCopy {
    /// `search_path` is the schema of the copy's empty tables.
    pub(crate) async fn new(
        mut c: PgConnection,
        search_path: &str,
        projections: &'static [Projection],
        tenant: Option<TenantId>,
    ) -> Result<Self, ProjectorError> {
        sqlx::query("select set_config('search_path', $1, false)").bind(search_path).execute(&mut c).await?;
        Ok(Self { c, projections, folds: Folds::all(projections), position: Position(0), tenant, version: None })
    }

    /// The copy of this version, which holds the events up to `position`.
    pub(crate) fn recorded_as(self, version: &str, position: Position) -> Self {
        Self { version: Some(version.to_owned()), position, ..self }
    }

    /// Folds up to a position that the log has reached.
    pub(crate) async fn advance(
        &mut self,
        log: &Log,
        to: Position,
        progress: &(dyn Fn(Position) + Sync),
    ) -> Result<(), ProjectorError> {
        if log.wait_past(Position(to.0.saturating_sub(1)), Duration::from_secs(10)).await < to {
            return Err(LogError::Corrupt(format!("the log does not reach position {to}")).into());
        }
        let starts = (self.position.0..to.0).step_by(READ);
        let reads = starts.map(|after| {
            let (log, limit) = (log.clone(), READ.min(usize::try_from(to.0 - after).unwrap_or(READ)));
            async move { read_exactly(&log, Position(after), limit).await }
        });
        let read = |task| async move { tokio::spawn(task).await.map_err(|e| LogError::Corrupt(e.to_string()))? };
        let mut batches = stream::iter(reads).map(read).buffered(READS).try_ready_chunks(READS_PER_WRITE);
        while let Some(batch) = batches.next().await {
            let events: Vec<_> = batch.map_err(|e| e.1)?.into_iter().flatten().collect();
            self.write(&events).await?;
            progress(self.position);
        }
        Ok(())
    }

    async fn write(&mut self, events: &[Arc<Recorded>]) -> Result<(), ProjectorError> {
        projector::contiguous(events, self.position)?;
        let Some(last) = events.last() else { return Ok(()) };
        let selected: Vec<_> =
            events.iter().filter(|e| self.tenant.is_none_or(|t| e.tenant_id == t)).cloned().collect();
        let mut tx = self.c.begin().await?;
        self.folds.fold(&mut tx, &selected).await?;
        if let Some(version) = &self.version {
            read_versions::set_position(&mut tx, version, last.position).await?;
        }
        tx.commit().await?;
        self.folds.settle();
        self.position = last.position;
        Ok(())
    }

    /// Blocks the projector, folds to exactly its position, and returns that position. Until `release_projector` the copy and
    /// the serving tables hold the same events.
    pub(crate) async fn hold_projector(
        &mut self,
        log: &Log,
        progress: &(dyn Fn(Position) + Sync),
    ) -> Result<Position, ProjectorError> {
        // Nearly there first, so that the projector is blocked only shortly.
        let near = log::follower_position(&mut self.c, FOLLOWER).await?;
        self.advance(log, near, progress).await?;
        sqlx::query("select pg_advisory_lock($1)").bind(SERVING_LOCK).execute(&mut self.c).await?;
        let exactly = log::follower_position(&mut self.c, FOLLOWER).await?;
        self.advance(log, exactly, progress).await?;
        Ok(exactly)
    }

    pub(crate) async fn release_projector(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("select pg_advisory_unlock($1)").bind(SERVING_LOCK).execute(&mut self.c).await?;
        Ok(())
    }

    /// Releases the projector inside a transaction whose snapshot still sees both at the position of `hold_projector`.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("begin isolation level repeatable read").execute(&mut self.c).await?;
        read_versions::take_snapshot(&mut self.c).await?;
        self.release_projector().await
    }

    pub(crate) async fn end_snapshot(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("rollback").execute(&mut self.c).await?;
        Ok(())
    }
}

/// Reads all of a range: one read may return fewer events than its limit.
async fn read_exactly(log: &Log, after: Position, limit: usize) -> Result<Vec<Arc<Recorded>>, LogError> {
    let mut events = log.read(after, limit).await?;
    while events.len() < limit {
        let last = events.last().map_or(after, |event| event.position);
        let more = log.read(last, limit - events.len()).await?;
        if more.is_empty() {
            return Err(LogError::Hole { expected: Position(last.0 + 1), found: log.head() });
        }
        events.extend(more);
    }
    Ok(events)
}

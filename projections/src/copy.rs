//! A second copy of the read tables, folded from position 0 beside those that serve: what a rebuild and the drift check
//! are made of.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use luci_schema::{
    Position, Recorded, TenantId,
    log::{self, Log, LogError},
};
use sqlx::{Connection as _, PgConnection};

use crate::{
    FOLLOWER, batch,
    fold::Fold,
    projector::{self, ProjectorError},
};

/// Events a read, reads at once (they decode on other cores), and reads a transaction.
const READ: usize = 4_000;
const READS: usize = 3;
const READS_A_WRITE: usize = 4;

/// The lock that a batch of the projector holds shared; see migration 0200.
const SERVING_LOCK: i64 = 7_305_804_402;

#[derive(Debug)]
pub(crate) struct SecondCopy {
    pub(crate) c: PgConnection,
    fold: Fold,
    pub(crate) position: Position,
    /// Only this tenant's events, when given.
    tenant: Option<TenantId>,
}

impl SecondCopy {
    /// `search_path` names the schema of the copy's empty tables.
    pub(crate) async fn begin(
        mut c: PgConnection,
        search_path: &str,
        tenant: Option<TenantId>,
    ) -> Result<Self, ProjectorError> {
        sqlx::query("select set_config('search_path', $1, false)").bind(search_path).execute(&mut c).await?;
        Ok(Self { c, fold: Fold::default(), position: Position(0), tenant })
    }

    /// Folds on up to a position that the log is known to have.
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
        let mut batches = stream::iter(reads).map(read).buffered(READS).try_ready_chunks(READS_A_WRITE);
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
        let mine: Vec<_> = events.iter().filter(|e| self.tenant.is_none_or(|t| e.tenant_id == t)).cloned().collect();
        let mut tx = self.c.begin().await?;
        batch::fold_into(&mut tx, &mut self.fold, &mine).await?;
        tx.commit().await?;
        self.fold.settle();
        self.position = last.position;
        Ok(())
    }

    /// Holds the projector back, folds on to exactly where it stands, and answers that position. Until `let_go`, the copy
    /// and the serving tables are of the same events.
    pub(crate) async fn meet(
        &mut self,
        log: &Log,
        progress: &(dyn Fn(Position) + Sync),
    ) -> Result<Position, ProjectorError> {
        // Near first, so that the projector is held back only shortly.
        let near = log::follower_position(&mut self.c, FOLLOWER).await?;
        self.advance(log, near, progress).await?;
        sqlx::query("select pg_advisory_lock($1)").bind(SERVING_LOCK).execute(&mut self.c).await?;
        let exactly = log::follower_position(&mut self.c, FOLLOWER).await?;
        self.advance(log, exactly, progress).await?;
        Ok(exactly)
    }

    /// Lets the projector go on.
    pub(crate) async fn let_go(c: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("select pg_advisory_unlock($1)").bind(SERVING_LOCK).execute(c).await?;
        Ok(())
    }

    /// `let_go`, within a transaction whose snapshot still sees both as they were when they met.
    pub(crate) async fn freeze(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("begin isolation level repeatable read").execute(&mut self.c).await?;
        sqlx::query("select count(*) from public.read_versions").execute(&mut self.c).await?;
        Self::let_go(&mut self.c).await
    }

    /// Ends what `freeze` began.
    pub(crate) async fn thaw(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("rollback").execute(&mut self.c).await?;
        Ok(())
    }
}

/// A read may answer less than was asked for; a range must be whole before the next one is folded.
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

//! Rebuild: fold the whole log into the version that does not serve, compare digests at one position, and change the views
//! over in one transaction. Reads go on all the while; the version before stays, for a swap back.

use std::time::Duration;

use luci_schema::{Position, log::Log};
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

use crate::{
    all,
    copy::SecondCopy,
    projector::{self, ProjectorError},
};

/// One rebuild at a time, in the whole cluster.
const REBUILD_LOCK: i64 = 7_305_804_403;
/// Tries at the views: each lock is waited for shorter than Postgres looks for deadlocks, so no reader is ever killed.
const SWAPS: u32 = 600;

/// What to do when the new tables differ from those that serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDifference {
    /// Keep the old ones: the fold is the same, so one of the two is wrong.
    Refuse,
    /// Serve the new ones: the fold was changed, or the old ones are known to be wrong.
    Swap,
}

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("another rebuild is at work")]
    Busy,
    #[error("the new tables differ from those that serve, in {}; nothing was swapped", tables.join(", "))]
    Differs { tables: Vec<&'static str> },
    #[error("the views were in use without a gap; the new tables are ready, nothing was swapped")]
    NoGap,
    #[error(transparent)]
    Fold(#[from] ProjectorError),
    #[error("the read tables' database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A rebuild that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// `read_a` or `read_b`.
    pub serving: String,
    /// Of the swap.
    pub position: Position,
    /// Tables that differed from the version before (with `OnDifference::Swap`).
    pub differed: Vec<&'static str>,
}

/// The version that serves, `read_a` or `read_b`.
pub async fn serving(c: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select version from public.read_versions where serving").fetch_one(c).await
}

/// Rebuilds all projections. The pool's role is `luci_projector`; `progress` is told of each position reached.
pub async fn rebuild(
    log: &Log,
    pool: &PgPool,
    on_difference: OnDifference,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Rebuilt, RebuildError> {
    let mut c = projector::connect(pool).await?;
    let free: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(REBUILD_LOCK).fetch_one(&mut c).await?;
    if !free {
        return Err(RebuildError::Busy);
    }
    let row = sqlx::query("select min(version) filter (where serving) as old, min(version) filter (where not serving) as new from public.read_versions")
        .fetch_one(&mut c)
        .await?;
    let (old, new): (String, String) = (row.try_get("old")?, row.try_get("new")?);
    sqlx::query("select public.read_clear($1)").bind(&new).execute(&mut c).await?;

    let mut copy = SecondCopy::begin(c, &new, None).await?;
    let done = carry_out(&mut copy, log, (&old, &new), on_difference, progress).await;
    // Also after a refusal the locks are free when the answer is heard: a connection that is closed keeps them for a moment.
    sqlx::query("select pg_advisory_unlock_all()").execute(&mut copy.c).await.ok();
    copy.c.close().await.ok();
    done
}

async fn carry_out(
    copy: &mut SecondCopy,
    log: &Log,
    (old, new): (&str, &str),
    on_difference: OnDifference,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Rebuilt, RebuildError> {
    // Without secondary indexes as far as the log goes now; then with them, to where the projector is.
    copy.advance(log, log.head(), progress).await?;
    sqlx::query("select public.read_index($1)").bind(new).execute(&mut copy.c).await?;
    // A small sample is enough for plans; autovacuum looks closer later.
    sqlx::query("select set_config('default_statistics_target', '20', false)").execute(&mut copy.c).await?;
    sqlx::raw_sql("analyze pipeline_runs, block_executions, artifacts, run_metrics, run_counters")
        .execute(&mut copy.c)
        .await?;

    copy.meet(log, progress).await?;
    copy.freeze().await?;
    let differed = differences(&mut copy.c, old, new).await;
    copy.thaw().await?;
    let differed = differed?;
    if !differed.is_empty() && on_difference == OnDifference::Refuse {
        return Err(RebuildError::Differs { tables: differed });
    }

    let position = copy.meet(log, progress).await?;
    let swapped = swap(&mut copy.c, new, position).await;
    SecondCopy::let_go(&mut copy.c).await?;
    swapped?;
    Ok(Rebuilt { serving: new.to_owned(), position, differed })
}

/// Tables whose digests differ between two versions.
async fn differences(c: &mut PgConnection, old: &str, new: &str) -> Result<Vec<&'static str>, sqlx::Error> {
    let mut tables = Vec::new();
    for projection in all() {
        let mut digests = Vec::new();
        for version in [old, new] {
            let table = format!("{version}.{}", projection.table);
            let digest = sqlx::query_as("select rows, sum from public.read_digest($1::text::regclass)").bind(table);
            let (rows, sum): (i64, String) = digest.fetch_one(&mut *c).await?;
            digests.push((rows, sum));
        }
        if digests[0] != digests[1] {
            tracing::warn!(table = projection.table, old = ?digests[0], new = ?digests[1], "a rebuilt table differs");
            tables.push(projection.table);
        }
    }
    Ok(tables)
}

async fn swap(c: &mut PgConnection, new: &str, position: Position) -> Result<(), RebuildError> {
    for _ in 0..SWAPS {
        let mut tx = c.begin().await?;
        sqlx::query("set local lock_timeout = '100ms'").execute(&mut *tx).await?;
        sqlx::query("set local synchronous_commit = on").execute(&mut *tx).await?;
        let done = sqlx::query("select public.read_serve($1)").bind(new).execute(&mut *tx).await;
        match done {
            Ok(_) => {
                sqlx::query("update public.read_versions set position = $2 where version = $1")
                    .bind(new)
                    .bind(crate::column::big(position.0))
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                return Ok(());
            }
            // lock_not_available: a reader was in the way; let the others through first.
            Err(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some("55P03") => {
                tx.rollback().await?;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(RebuildError::NoGap)
}

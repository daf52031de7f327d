//! Rebuild: folds the whole log into the version that does not serve, compares digests of both at one position, and swaps
//! the views in one transaction. Reads are served throughout. A rebuild that was cut off goes on where it was.

use std::time::Duration;

use luci_schema::{Position, log::Log};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::{
    fold::{self, Projection},
    fold_error::ProjectorError,
    projector, read_versions,
    shadow_copy::ShadowCopy,
};

/// Advisory lock: one rebuild at a time in the whole cluster.
const REBUILD_LOCK: i64 = 7_305_804_403;
/// This fold, see `build.rs`.
const FOLD: &str = env!("LUCI_FOLD");
/// Attempts at the swap. Each waits for locks shorter than `deadlock_timeout`, so that no reader is ever cancelled.
const SWAP_ATTEMPTS: u32 = 600;

/// What to do when the rebuilt tables differ from those that serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDifference {
    /// Keep the old tables: the fold is the same, so one of the two is wrong.
    Refuse,
    /// Serve the rebuilt tables: the fold was changed, or the old tables are wrong.
    Swap,
}

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("another rebuild is running")]
    Busy,
    #[error("rebuilt tables differ from those that serve: {}; nothing was swapped", tables.join(", "))]
    Differs { tables: Vec<&'static str> },
    #[error(
        "the views could not be locked, since queries used them without a pause; nothing was swapped: run the rebuild again"
    )]
    ViewsLocked,
    #[error(transparent)]
    Fold(#[from] ProjectorError),
    #[error("read tables: database error: {0}")]
    Database(#[from] sqlx::Error),
}

/// A completed rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The version that serves now: `read_a` or `read_b`.
    pub serving: String,
    /// The position of both versions at the swap.
    pub position: Position,
    /// Tables that differed from the version that served before, with `OnDifference::Swap`. A table that was added and
    /// not folded until now is not among them.
    pub differed: Vec<&'static str>,
}

/// Rebuilds these projections, which are all. The pool's role is `luci_projector`; `progress` is called with each position reached.
pub async fn rebuild(
    log: &Log,
    pool: &PgPool,
    projections: &'static [Projection],
    on_difference: OnDifference,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Rebuilt, RebuildError> {
    let mut c = projector::connect(pool).await?;
    let locked: bool =
        sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(REBUILD_LOCK).fetch_one(&mut c).await?;
    if !locked {
        return Err(RebuildError::Busy);
    }
    let (old, new) = read_versions::both(&mut c).await?;
    let done = read_versions::unfinished(&mut c, &new, FOLD).await?;
    if done.is_none() {
        read_versions::begin_rebuild(&mut c, &new, FOLD).await?;
    }
    let mut copy = ShadowCopy::new(c, &new, projections, None).await?.recorded_as(&new, done.unwrap_or(Position(0)));
    if let Some(done) = done {
        tracing::info!(position = done.0, "rebuild continued");
        progress(done);
    }
    let result = fold_and_swap(&mut copy, log, (&old, &new), on_difference, progress).await;
    // Postgres keeps the locks of a closed connection for a moment: the caller may start the next rebuild at once.
    sqlx::query("select pg_advisory_unlock_all()").execute(&mut copy.c).await.ok();
    copy.c.close().await.ok();
    result
}

async fn fold_and_swap(
    copy: &mut ShadowCopy,
    log: &Log,
    (old, new): (&str, &str),
    on_difference: OnDifference,
    progress: &(dyn Fn(Position) + Sync),
) -> Result<Rebuilt, RebuildError> {
    // Without secondary indexes to the log's present head; then with them to the projector's position.
    copy.advance(log, log.head(), progress).await?;
    sqlx::query("select public.read_index($1)").bind(new).execute(&mut copy.c).await?;
    sqlx::query("select public.read_analyze($1)").bind(new).execute(&mut copy.c).await?;

    copy.hold_projector(log, progress).await?;
    copy.begin_snapshot().await?;
    let differed = differences(&mut copy.c, copy.projections, old, new).await;
    copy.end_snapshot().await?;
    let differed = differed?;
    if !differed.is_empty() && on_difference == OnDifference::Refuse {
        read_versions::end_rebuild(&mut copy.c, new).await?;
        return Err(RebuildError::Differs { tables: differed });
    }

    let position = copy.hold_projector(log, progress).await?;
    let swapped = swap(&mut copy.c, new, position).await;
    copy.release_projector().await?;
    swapped?;
    Ok(Rebuilt { serving: new.to_owned(), position, differed })
}

/// Tables whose digests differ between two versions. A table that is not complete in the old one is not compared.
async fn differences(
    c: &mut PgConnection,
    projections: &[Projection],
    old: &str,
    new: &str,
) -> Result<Vec<&'static str>, sqlx::Error> {
    let mut tables = Vec::new();
    let complete = fold::complete_tables(c).await?;
    for projection in projections.iter().filter(|projection| complete.iter().any(|table| table == projection.table)) {
        let mut digests = Vec::new();
        for version in [old, new] {
            let table = format!("{version}.{}", projection.table);
            let digest = sqlx::query_as("select rows, sum from public.read_digest($1::text::regclass)").bind(table);
            let (rows, sum): (i64, String) = digest.fetch_one(&mut *c).await?;
            digests.push((rows, sum));
        }
        if digests[0] != digests[1] {
            tracing::warn!(table = projection.table, old = ?digests[0], new = ?digests[1], "rebuilt table differs");
            tables.push(projection.table);
        }
    }
    Ok(tables)
}

async fn swap(c: &mut PgConnection, new: &str, position: Position) -> Result<(), RebuildError> {
    for _ in 0..SWAP_ATTEMPTS {
        let mut tx = c.begin().await?;
        sqlx::query("set local lock_timeout = '100ms'").execute(&mut *tx).await?;
        sqlx::query("set local synchronous_commit = on").execute(&mut *tx).await?;
        let swapped = sqlx::query("select public.read_serve($1)").bind(new).execute(&mut *tx).await;
        match swapped {
            Ok(_) => {
                read_versions::set_position(&mut tx, new, position).await?;
                read_versions::end_rebuild(&mut tx, new).await?;
                tx.commit().await?;
                return Ok(());
            }
            // lock_not_available: a query uses a view. Queries that wait behind this lock go first.
            Err(error) if error.as_database_error().and_then(|e| e.code()).as_deref() == Some("55P03") => {
                tx.rollback().await?;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(RebuildError::ViewsLocked)
}

//! Hourly deletion of rows whose retention is over.

use futures::future::BoxFuture;
use luci_schema::{Micros, log::Log};
use sqlx::{PgConnection, PgPool};

/// How long a command with an `Idempotency-Key` gets the same answer again.
const RECEIPT_RETENTION_MS: i64 = 30 * 86_400_000;
/// How long a stored state of a run is kept; one that is needed later is stored again.
const SNAPSHOT_RETENTION_MS: i64 = 7 * 86_400_000;

/// One deletion, added by the crate that owns the rows.
#[derive(Debug, Clone, Copy)]
pub struct Cleanup {
    /// For the log: `old provider uploads`.
    pub rows: &'static str,
    /// Deletes, and returns how many rows.
    pub delete: fn(&mut PgConnection) -> BoxFuture<'_, Result<u64, sqlx::Error>>,
}

/// What fails now is tried again an hour later.
pub(super) async fn run(cleanups: &[Cleanup], log: &Log, pool: &PgPool) {
    for cleanup in cleanups {
        let deleted = async { (cleanup.delete)(&mut *pool.acquire().await?).await };
        report(cleanup.rows, deleted.await);
    }
    report("receipts", log.delete_receipts(Micros::now().plus_millis(-RECEIPT_RETENTION_MS)).await);
    report("stored states", log.delete_snapshots(Micros::now().plus_millis(-SNAPSHOT_RETENTION_MS)).await);
}

fn report(rows: &str, deleted: Result<u64, impl std::fmt::Display>) {
    match deleted {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(rows, deleted, "cleanup done"),
        Err(error) => tracing::warn!(rows, %error, "cleanup failed"),
    }
}

//! Keeps the stored objects as the log says: the sweeper removes those of superseded or abandoned attempts, the scrub
//! compares the others with what was recorded. One process at a time does each, by lease; both continue from a checkpoint in the log.

mod needs;
mod scrub;
mod sweep;

use std::time::Duration;

use futures::future::BoxFuture;
use luci_schema::log::{Log, LogError};
use luci_storage::{Storage, StorageError};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{lease_guard::LeaseOptions, retry_pause::RetryPause};

pub use needs::{RunNeeds, needs};
pub use scrub::{Checked, check_all, objects_of};
pub use sweep::{Swept, sweep_run};

/// Objects that no event will name, removed by each sweep; added by the crate that owns their rows.
#[derive(Debug, Clone, Copy)]
pub struct ObjectCleanup {
    /// For the log: `uploads`.
    pub objects: &'static str,
    /// Removes, and returns how many.
    pub remove: for<'a> fn(&'a mut PgConnection, &'a Storage) -> BoxFuture<'a, Result<u64, StoredObjectsError>>,
}

#[derive(Debug, Clone)]
pub struct StoredObjectsOptions {
    pub lease: LeaseOptions,
    /// Between two sweeps.
    pub sweep_every: Duration,
    /// Younger objects are not swept, nor runs that ended more recently.
    pub grace: Duration,
    /// Bytes per second that the scrub reads.
    pub scrub_rate: u64,
    /// From the end of a scrub of the whole log to the next one.
    pub scrub_every: Duration,
    pub cleanups: Vec<ObjectCleanup>,
}

impl StoredObjectsOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self {
            lease: LeaseOptions::owned_by(owner),
            sweep_every: Duration::from_secs(3_600),
            grace: Duration::from_secs(3_600),
            scrub_rate: 4 << 20,
            scrub_every: Duration::from_secs(24 * 3_600),
            cleanups: Vec::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoredObjectsError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<sqlx::Error> for StoredObjectsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// Events read at once.
const BATCH_SIZE: usize = 500;

/// Sweeps and scrubs until `stop`. Errors are logged and retried.
pub async fn run(options: StoredObjectsOptions, log: Log, storage: Storage, stop: CancellationToken) {
    tokio::join!(sweep::run(&options, &log, &storage, &stop), scrub::run(&options, &log, &storage, &stop));
}

/// Waits after an error.
async fn paused(pause: &mut RetryPause, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause.next()) => {}
    }
}

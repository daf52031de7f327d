//! What the clock role does with stored data beside its clock: sweeps and scrubs objects, erases people, applies retention.

use std::sync::Arc;

use luci_config::vault::Vault;
use luci_runs::stored_objects::{self, StoredObjectsOptions};
use luci_schema::log::Log;
use luci_stages::{
    erasure::{self, ErasureOptions},
    retention::{self, RetentionOptions},
};
use luci_storage::Storage;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub struct StoredData {
    objects: StoredObjectsOptions,
    erasures: ErasureOptions,
    retention: RetentionOptions,
    storage: Storage,
    vault: Arc<Vault>,
}

impl StoredData {
    pub fn of(instance: &str, storage: Storage, vault: Arc<Vault>) -> Self {
        Self {
            objects: StoredObjectsOptions {
                cleanups: vec![luci_stages::OLD_UPLOADS],
                ..StoredObjectsOptions::owned_by(instance)
            },
            erasures: ErasureOptions::owned_by(instance),
            retention: RetentionOptions::owned_by(instance),
            storage,
            vault,
        }
    }

    /// Works until `stop`; each task under a lease of its own.
    pub async fn keep(self, log: Log, stop: CancellationToken) {
        let storage = self.storage;
        tokio::join!(
            stored_objects::run(self.objects, log.clone(), storage.clone(), stop.clone()),
            erasure::run(self.erasures, (log.clone(), storage.clone()), self.vault, stop.clone()),
            retention::run(self.retention, log, storage, stop),
        );
    }
}

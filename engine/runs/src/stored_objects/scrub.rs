//! Reads the stored objects slowly and compares each with what was recorded, so that a fault is known before the object is
//! needed: artifacts, imports and the copies of seals. What was lost is not repaired here: the log names it.

use std::{pin::pin, time::Duration};

use futures::StreamExt as _;
use luci_schema::{
    ConfigEvent, Event, Micros, ObjectFault, Position, Recorded,
    event::ObjectDigest,
    log::{Log, seals_after},
};
use luci_storage::{Storage, StorageError};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{BATCH_SIZE, StoredObjectsError, StoredObjectsOptions, paused, sweep};
use crate::{follow, lease_guard::LeaseGuard, retry_pause::RetryPause, sealer};

/// Between two tries while the store cannot be used.
const STORE_RETRY: Duration = Duration::from_secs(10);
/// Seals read at once.
const SEALS: u32 = 500;

pub(super) async fn run(options: &StoredObjectsOptions, log: &Log, storage: &Storage, stop: &CancellationToken) {
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "object-scrub", &options.lease, stop).await else { break };
        let scrub = Scrub { options, log, storage, lease: &lease };
        let ended = tokio::select! {
            ended = scrub.work(&mut pause) => ended,
            () = stop.cancelled() => Ok(()),
            () = lease.lost().cancelled() => Ok(()),
        };
        let why = ended.as_ref().err().map(ToString::to_string);
        lease.release(why.as_deref()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "object scrub failed, retrying");
            paused(&mut pause, stop).await;
        }
    }
}

struct Scrub<'a> {
    options: &'a StoredObjectsOptions,
    log: &'a Log,
    storage: &'a Storage,
    lease: &'a LeaseGuard,
}

impl Scrub<'_> {
    /// Follows the log; from time to time it begins again.
    async fn work(&self, pause: &mut RetryPause) -> Result<(), StoredObjectsError> {
        let mut at = self.lease.position();
        loop {
            let again = tokio::time::sleep(self.options.scrub_every);
            let mut again = pin!(again);
            let mut batches = pin!(follow::batches(self.log.clone(), at, BATCH_SIZE));
            let mut checked = Checked::default();
            loop {
                tokio::select! {
                    biased;
                    Some(batch) = batches.next() => {
                        self.batch(&batch?, &mut at, &mut checked).await?;
                        *pause = RetryPause::default();
                    }
                    // A scrub that takes longer goes on to the head all the same, or the newest objects would never be read.
                    () = &mut again, if at >= self.log.head() => break,
                }
            }
            check_seals(self.log, self.storage, &mut checked).await?;
            self.checkpoint(&mut at, Position(0)).await?;
        }
    }

    async fn batch(
        &self,
        batch: &[std::sync::Arc<Recorded>],
        at: &mut Position,
        checked: &mut Checked,
    ) -> Result<(), StoredObjectsError> {
        let before = Micros::now().plus_millis(-i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX));
        for recorded in batch {
            for (path, digest) in objects_of(&recorded.event) {
                while self.storage.health(STORE_RETRY).await.is_err() {
                    tokio::time::sleep(STORE_RETRY).await;
                }
                check(self.storage, path, &digest, checked).await?;
                let seconds = digest.size_bytes as f64 / self.options.scrub_rate.max(1) as f64;
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
            // An attempt that slept through the sweep wrote its object afterwards.
            if let Some(ended) = sweep::ended_run(recorded).filter(|_| recorded.recorded_at < before) {
                sweep::sweep_run(self.log, self.storage, ended, before).await?;
            }
        }
        let Some(last) = batch.last() else { return Ok(()) };
        self.checkpoint(at, last.position).await
    }

    async fn checkpoint(&self, at: &mut Position, to: Position) -> Result<(), StoredObjectsError> {
        let mut tx = self.lease.pool().begin().await?;
        self.lease.checkpoint(&mut tx, *at, to).await?;
        tx.commit().await?;
        *at = to;
        metrics::gauge!("luci_scrub_position").set(to.0 as f64);
        Ok(())
    }
}

/// The result of a check.
#[derive(Debug, Default)]
pub struct Checked {
    pub objects: u64,
    pub bytes: u64,
    /// Of the objects: removed by retention, or by an erasure that kept nothing of them. Neither is missing.
    pub expired: u64,
    pub erased: u64,
    pub faults: Vec<ObjectFault>,
}

/// Compares every object of the log once, as fast as they can be read: artifacts, imports and the copies of seals.
pub async fn check_all(log: &Log, storage: &Storage) -> Result<Checked, StoredObjectsError> {
    let (mut checked, mut at, head) = (Checked::default(), Position(0), log.newest().await?);
    while at < head {
        let batch = log.read(at, BATCH_SIZE).await?;
        for recorded in &batch {
            for (path, digest) in objects_of(&recorded.event) {
                check(storage, path, &digest, &mut checked).await?;
            }
            at = recorded.position;
        }
    }
    check_seals(log, storage, &mut checked).await?;
    Ok(checked)
}

/// What an event recorded of objects: paths, sizes and digests.
pub fn objects_of(event: &Event) -> Vec<(&str, ObjectDigest)> {
    match event {
        Event::Config(ConfigEvent::ImportCompleted(import)) => {
            let digest = ObjectDigest { size_bytes: import.size_bytes, checksum: import.checksum.clone() };
            vec![(import.object_path.as_str(), digest)]
        }
        Event::Config(ConfigEvent::LeadErased(erased)) => {
            let versions = erased.objects.iter().filter_map(|object| {
                // What was overwritten in place is a list or a payload, which no event records.
                object.now.as_ref().filter(|now| now.object_path != object.object_path)
            });
            versions.map(|now| (now.object_path.as_str(), now.digest.clone())).collect()
        }
        event => event.artifacts().iter().map(|made| (made.object_path.as_str(), made.digest())).collect(),
    }
}

async fn check(
    storage: &Storage,
    object_path: &str,
    digest: &ObjectDigest,
    checked: &mut Checked,
) -> Result<(), StorageError> {
    checked.objects += 1;
    checked.bytes += digest.size_bytes;
    metrics::counter!("luci_scrub_objects_total").increment(1);
    match storage.verify(object_path, digest).await {
        Err(StorageError::Integrity(fault)) => {
            found(checked, *fault);
            Ok(())
        }
        Err(StorageError::Expired { .. }) => {
            checked.expired += 1;
            Ok(())
        }
        Err(StorageError::Erased { .. }) => {
            checked.erased += 1;
            Ok(())
        }
        verified => verified,
    }
}

fn found(checked: &mut Checked, fault: ObjectFault) {
    metrics::counter!("luci_scrub_faults_total").increment(1);
    tracing::error!(object = fault.object_path, %fault, "stored object is not what was recorded");
    checked.faults.push(fault);
}

/// The copy of a seal has the bytes that the sealer wrote. The newest may not be copied yet.
async fn check_seals(log: &Log, storage: &Storage, checked: &mut Checked) -> Result<(), StoredObjectsError> {
    let mut after = 0;
    loop {
        let mut c = log.pool().acquire().await?;
        let seals = seals_after(&mut c, after, SEALS).await.map_err(StoredObjectsError::Log)?;
        let newest = luci_schema::log::last_seal(&mut c).await?.map_or(0, |seal| seal.seal_id);
        drop(c);
        let Some(last) = seals.last() else { return Ok(()) };
        after = last.seal_id;
        for seal in &seals {
            let text = serde_json::to_vec(seal).map_err(StorageError::from)?;
            let checksum = hex::encode(Sha256::digest(&text));
            let digest = ObjectDigest { size_bytes: text.len() as u64, checksum };
            let path = sealer::object_path(seal.seal_id);
            if seal.seal_id < newest || storage.head(&path).await?.is_some() {
                check(storage, &path, &digest, checked).await?;
            }
        }
    }
}

impl Checked {
    /// Compares an object that another table than the log records.
    ///
    /// # Errors
    /// When the store cannot be read; an object that is missing or differs is one of the faults.
    pub async fn object(
        &mut self,
        storage: &Storage,
        object_path: &str,
        digest: &ObjectDigest,
    ) -> Result<(), StorageError> {
        check(storage, object_path, digest, self).await
    }

    /// `{object path}: {what is wrong}`, one for each fault.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|fault| format!("{}: {}", fault.object_path, fault.difference()))
    }
}

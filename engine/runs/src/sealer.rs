//! The sealer signs the log every minute or every 10,000 events, and copies each seal to the object store. One process
//! works, by lease `seals`; its checkpoint is the last position whose seal is in the store.
//!
//! A seal is written to the database first and to the store second. So a seal that only the store has means that the
//! database was truncated or restored to an earlier state: the object is not replaced, and the sealer reports an error. So it
//! does when the database lacks a seal that the checkpoint or the witness knows: a range is never sealed twice.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use luci_schema::{
    Hash, Micros, Position,
    log::{self, Log, LogError},
    merkle,
    seal::{MAX_EVENTS, Seal, SealKey},
};
use luci_storage::{Storage, StorageError};
use sqlx::PgConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    follow,
    lease_guard::{LeaseGuard, LeaseOptions},
    retry_pause::RetryPause,
    seal_memory::{SealMemory, SealMemoryError},
};

#[derive(Debug, Clone)]
pub struct SealerOptions {
    pub lease: LeaseOptions,
    pub key: Arc<SealKey>,
    /// Longest time until an appended event is sealed.
    pub every: Duration,
    /// Remembers every seal outside database and store.
    pub memory: SealMemory,
}

impl SealerOptions {
    /// Between two seals, unless the options say otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(60);

    pub fn owned_by(owner: impl Into<String>, key: Arc<SealKey>) -> Self {
        Self { lease: LeaseOptions::owned_by(owner), key, every: Self::INTERVAL, memory: SealMemory::default() }
    }
}

#[derive(Debug, thiserror::Error)]
enum SealerError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "the store has another seal {0}: the database was restored to an earlier state, or does not belong to this store. \
         Nothing was replaced. See `luci audit seals`; if the restore was intended, move the newer seal objects away"
    )]
    SealMismatch(u64),
    #[error(transparent)]
    Memory(#[from] SealMemoryError),
}

impl SealerError {
    /// An operator must act: the same try soon again cannot succeed.
    fn is_tampering(&self) -> bool {
        match self {
            Self::SealMismatch(_) => true,
            Self::Memory(error) => error.is_tampering(),
            Self::Log(_) | Self::Storage(_) => false,
        }
    }
}

impl From<sqlx::Error> for SealerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// Events read at once.
const BATCH_SIZE: usize = 1_000;
/// Newest seals whose copies are checked at the start.
const CHECKED_SEALS: u32 = 20;
/// Between two tries while the store has another seal.
const MISMATCH_RETRY: Duration = Duration::from_secs(60);

/// For reading the events after the last seal.
const FIRST_READ: Duration = Duration::from_secs(1);

/// Object path of a seal's copy.
pub fn object_path(seal_id: u64) -> String {
    format!("audit/seals/{seal_id:010}.json")
}

/// Seals until `stop`. Errors are logged, stored with the lease, and retried.
pub async fn run(options: SealerOptions, log: Log, storage: Storage, stop: CancellationToken) {
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "seals", &options.lease, &stop).await else { break };
        let ended = SealerSession { options: &options, log: &log, storage: &storage, lease: &lease }.work(&stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        lease.release(why.as_deref()).await;
        let Err(error) = ended else { continue };
        let wait = if error.is_tampering() {
            metrics::counter!("luci_seal_faults_total").increment(1);
            tracing::error!(%error, "log not sealed, seals do not match");
            MISMATCH_RETRY
        } else {
            tracing::warn!(%error, "sealing failed, retrying");
            pause.next()
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Until the first seal of a session: the interval counts from the last seal, so that a process that is killed again and again
/// still seals. A moment is left for reading the events since then.
fn first_wait(every: Duration, last: Option<&Seal>, now: Micros) -> Duration {
    let since = last.map_or(0, |seal| now.0 - seal.sealed_at_micros.0);
    let since = Duration::from_micros(u64::try_from(since).unwrap_or(0));
    every.saturating_sub(since).max(FIRST_READ.min(every))
}

/// The sealer while it holds the lease.
struct SealerSession<'a> {
    options: &'a SealerOptions,
    log: &'a Log,
    storage: &'a Storage,
    lease: &'a LeaseGuard,
}

impl SealerSession<'_> {
    async fn work(&self, stop: &CancellationToken) -> Result<(), SealerError> {
        let mut at = self.lease.position();
        let mut last = self.catch_up(&mut at).await?;
        let sealed = last.as_ref().map_or(Position(0), |seal| seal.to_position);
        let mut batches = pin!(follow::batches(self.log.clone(), sealed, BATCH_SIZE));
        let mut leaves: Vec<Hash> = Vec::new();
        let mut due = Instant::now() + first_wait(self.options.every, last.as_ref(), Micros::now());
        loop {
            tokio::select! {
                () = self.lease.lost().cancelled() => return Ok(()),
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(due) => {
                    self.seal(&mut last, &mut leaves, &mut at).await?;
                    due = Instant::now() + self.options.every;
                }
                Some(batch) = batches.next() => {
                    for event in batch? {
                        leaves.push(merkle::leaf(event.position, &event.hash));
                        if leaves.len() == MAX_EVENTS {
                            self.seal(&mut last, &mut leaves, &mut at).await?;
                            due = Instant::now() + self.options.every;
                        }
                    }
                }
            }
        }
        self.seal(&mut last, &mut leaves, &mut at).await
    }

    /// Copies the newest seals again, in case a crash lost an object; returns the last seal.
    async fn catch_up(&self, at: &mut Position) -> Result<Option<Seal>, SealerError> {
        let mut c = self.lease.pool().acquire().await?;
        let last = log::last_seal(&mut c).await?;
        self.compare_with_memory(&mut c, last.as_ref(), *at).await?;
        let before = last.as_ref().map_or(0, |seal| seal.seal_id.saturating_sub(u64::from(CHECKED_SEALS)));
        let recent = log::seals_after(&mut c, before, CHECKED_SEALS).await?;
        drop(c);
        for seal in &recent {
            self.export(seal, at).await?;
        }
        self.publish().await?;
        Ok(last)
    }

    /// The database still has every seal that the checkpoint and the witnesses know.
    async fn compare_with_memory(
        &self,
        c: &mut PgConnection,
        last: Option<&Seal>,
        at: Position,
    ) -> Result<(), SealerError> {
        let found = last.map_or(Position(0), |seal| seal.to_position);
        if at > found {
            let memory = "the sealer's checkpoint".into();
            return Err(SealMemoryError::Removed { memory, known: at, found }.into());
        }
        Ok(self.options.memory.compare(c, found).await?)
    }

    /// While broker or bucket is away, the log is sealed without it; it gets what it lacks with the next seal.
    async fn publish(&self) -> Result<(), SealerError> {
        let mut c = self.lease.pool().acquire().await?;
        match self.options.memory.publish(&mut c).await {
            Err(error) if error.is_unreachable() => {
                tracing::warn!(%error, "seals not published, again with the next seal");
                Ok(())
            }
            published => Ok(published?),
        }
    }

    /// Seals the leaves after the last seal, if there are any.
    async fn seal(
        &self,
        last: &mut Option<Seal>,
        leaves: &mut Vec<Hash>,
        at: &mut Position,
    ) -> Result<(), SealerError> {
        if leaves.is_empty() {
            return Ok(());
        }
        let to = last.as_ref().map_or(0, |seal| seal.to_position.0) + leaves.len() as u64;
        let seal = self.options.key.seal(last.as_ref(), Position(to), merkle::root(leaves), Micros::now());
        let mut tx = self.lease.pool().begin().await?;
        log::add_seal(&mut tx, &seal).await?;
        tx.commit().await?;
        leaves.clear();
        if let Some(file) = &self.options.memory.file {
            file.add((&seal).into()).map_err(SealMemoryError::from)?;
        }
        self.export(&seal, at).await?;
        self.publish().await?;
        metrics::gauge!("luci_sealed_position").set(seal.to_position.0 as f64);
        *last = Some(seal);
        Ok(())
    }

    /// Copies the seal to the store unless it is there, and moves the checkpoint from `at` to the seal's end.
    async fn export(&self, seal: &Seal, at: &mut Position) -> Result<(), SealerError> {
        let (path, text) = (object_path(seal.seal_id), serde_json::to_vec(seal).map_err(StorageError::from)?);
        let text = Bytes::from(text);
        let new = self.storage.put_new(&path, text.clone(), "application/json").await?;
        if !new && self.storage.get(&path).await? != text {
            return Err(SealerError::SealMismatch(seal.seal_id));
        }
        if seal.to_position > *at {
            let mut tx = self.lease.pool().begin().await?;
            self.lease.checkpoint(&mut tx, *at, seal.to_position).await?;
            tx.commit().await?;
            *at = seal.to_position;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_counts_from_the_last_seal_whoever_made_it() {
        let (minute, now) = (Duration::from_secs(60), Micros(1_000_000_000));
        let pem = SealKey::generate_pem().expect("random bytes");
        let key = SealKey::from_pem(&pem).expect("a key");
        let sealed =
            |seconds: i64| key.seal(None, Position(1), merkle::root(&[[7; 32]]), Micros(now.0 - seconds * 1_000_000));
        assert_eq!(first_wait(minute, None, now), minute);
        assert_eq!(first_wait(minute, Some(&sealed(20)), now), Duration::from_secs(40));
        assert_eq!(first_wait(minute, Some(&sealed(500)), now), FIRST_READ);
        // A clock that was set back.
        assert_eq!(first_wait(minute, Some(&sealed(-500)), now), minute);
        assert_eq!(first_wait(Duration::from_millis(50), Some(&sealed(500)), now), Duration::from_millis(50));
    }
}

//! The sealer: signs what the log has come to, each minute or each 10,000 events, and leaves a copy of each seal in the
//! store. One works, by lease `seals`; its checkpoint is the last position whose seal is in the store.
//!
//! A seal is a row first and an object then, so that the store never knows one that the database does not, unless the
//! database was cut or restored to the past: then the store's copy stays as it is, and the sealer stands still and says why.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use luci_schema::{
    Hash, Micros, Position,
    log::{self, Log, LogError},
    merkle,
    seal::{MOST, Seal, SealKey},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    follow,
    relay::Pause,
    storage::{Storage, StorageError},
    tenure::{Tenure, TenureOptions},
};

/// How the log is sealed.
#[derive(Debug, Clone)]
pub struct SealerOptions {
    pub tenure: TenureOptions,
    pub key: Arc<SealKey>,
    /// What is appended is sealed after this time at the latest.
    pub every: Duration,
}

impl SealerOptions {
    pub fn owned_by(owner: impl Into<String>, key: Arc<SealKey>) -> Self {
        Self { tenure: TenureOptions::owned_by(owner), key, every: Duration::from_secs(60) }
    }
}

#[derive(Debug, thiserror::Error)]
enum SealerError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "the store has another seal {0}: the database was restored to the past, or is not the store's. Nothing was replaced. \
         `luci audit seals` says more; where the past is known, move its objects aside to seal anew from there"
    )]
    Another(u64),
}

impl From<sqlx::Error> for SealerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// Events read at once.
const BATCH: usize = 1_000;
/// Seals whose copies are looked after at the start.
const RECENT: u32 = 20;
/// Between two tries where the store has another seal.
const STANDS_STILL: Duration = Duration::from_secs(60);

/// Where a seal's copy is.
pub fn object_path(seal_id: u64) -> String {
    format!("audit/seals/{seal_id:010}.json")
}

/// Seals until told to stop; what hinders it is in the log, and with its lease.
pub async fn run(options: SealerOptions, log: Log, storage: Storage, stop: CancellationToken) {
    let mut pause = Pause::default();
    while !stop.is_cancelled() {
        let Some(tenure) = Tenure::begin(log.pool(), "seals", &options.tenure, &stop).await else { break };
        let ended = Held { options: &options, log: &log, storage: &storage, tenure: &tenure }.work(&stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        tenure.end(why.as_deref()).await;
        let Err(error) = ended else { continue };
        tracing::warn!(%error, "the log is not sealed");
        let wait = if matches!(error, SealerError::Another(_)) { STANDS_STILL } else { pause.next() };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The sealer while it holds the lease.
struct Held<'a> {
    options: &'a SealerOptions,
    log: &'a Log,
    storage: &'a Storage,
    tenure: &'a Tenure,
}

impl Held<'_> {
    async fn work(&self, stop: &CancellationToken) -> Result<(), SealerError> {
        let mut at = self.tenure.position();
        let mut last = self.catch_up(&mut at).await?;
        let sealed = last.as_ref().map_or(Position(0), |seal| seal.to_position);
        let mut source = pin!(follow::batches(self.log.clone(), sealed, BATCH));
        let mut leaves: Vec<Hash> = Vec::new();
        let mut due = Instant::now() + self.options.every;
        loop {
            tokio::select! {
                () = self.tenure.lost().cancelled() => return Ok(()),
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(due) => {
                    self.seal(&mut last, &mut leaves, &mut at).await?;
                    due = Instant::now() + self.options.every;
                }
                Some(batch) = source.next() => {
                    for event in batch? {
                        leaves.push(merkle::leaf(event.position, &event.hash));
                        if leaves.len() == MOST {
                            self.seal(&mut last, &mut leaves, &mut at).await?;
                            due = Instant::now() + self.options.every;
                        }
                    }
                }
            }
        }
        self.seal(&mut last, &mut leaves, &mut at).await
    }

    /// Copies the newest seals again, should a crash of the machine have lost one; answers the last.
    async fn catch_up(&self, at: &mut Position) -> Result<Option<Seal>, SealerError> {
        let mut c = self.tenure.pool().acquire().await?;
        let last = log::last_seal(&mut c).await?;
        let before = last.as_ref().map_or(0, |seal| seal.seal_id.saturating_sub(u64::from(RECENT)));
        let recent = log::seals_after(&mut c, before, RECENT).await?;
        drop(c);
        for seal in &recent {
            self.export(seal, at).await?;
        }
        Ok(last)
    }

    /// Seals the leaves behind the last seal; nothing when there are none.
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
        let mut tx = self.tenure.pool().begin().await?;
        log::add_seal(&mut tx, &seal).await?;
        tx.commit().await?;
        leaves.clear();
        self.export(&seal, at).await?;
        metrics::gauge!("luci_sealed_position").set(seal.to_position.0 as f64);
        *last = Some(seal);
        Ok(())
    }

    /// Leaves the seal's copy in the store, where none may be replaced, and moves the checkpoint, which stands at `at`.
    async fn export(&self, seal: &Seal, at: &mut Position) -> Result<(), SealerError> {
        let (path, text) = (object_path(seal.seal_id), serde_json::to_vec(seal).map_err(StorageError::from)?);
        let text = Bytes::from(text);
        let new = self.storage.put_new(&path, text.clone(), "application/json").await?;
        if !new && self.storage.get(&path).await? != text {
            return Err(SealerError::Another(seal.seal_id));
        }
        if seal.to_position > *at {
            let mut tx = self.tenure.pool().begin().await?;
            self.tenure.checkpoint(&mut tx, *at, seal.to_position).await?;
            tx.commit().await?;
            *at = seal.to_position;
        }
        Ok(())
    }
}

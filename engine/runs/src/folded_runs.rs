//! The folded runs of a process: an LRU cache, each run locked by one command at a time, and how a run catches up with the log.
//!
//! A long run that is not cached starts from the newest stored state (`log.snapshots`), and stores one each time it passes a
//! multiple of `SNAPSHOT_EVERY` events.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use luci_schema::{
    Hash, Recorded, RunId, StreamId, TenantId, Version,
    log::{Log, LogError, SnapshotFold, SnapshotOf, Snapshots},
};

use crate::core::Run;

/// Folded runs in the cache.
const MAX_CACHED_RUNS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Events read at once when a run is loaded.
const PAGE: usize = 1_000;

/// The stored form of `Run`; see `build.rs`.
pub const RUN_FOLD: SnapshotFold = SnapshotFold { name: "run", version: env!("LUCI_RUN_FOLD") };

/// A folded run, locked by one command at a time. The default is a run that was not loaded yet.
pub(crate) type CachedRun = Arc<tokio::sync::Mutex<Arc<Run>>>;

/// Clones share the cache.
#[derive(Debug, Clone)]
pub(crate) struct FoldedRuns {
    runs: Arc<Mutex<LruCache<(TenantId, RunId), CachedRun>>>,
    /// `None`: every run is folded from its first event.
    pub(crate) snapshots: Option<Snapshots>,
}

impl FoldedRuns {
    pub fn new() -> Self {
        Self { runs: Arc::new(Mutex::new(LruCache::new(MAX_CACHED_RUNS))), snapshots: None }
    }

    /// A run that is evicted while in use is harmless: a second user of the run conflicts with the first.
    pub fn get(&self, at: (TenantId, RunId)) -> CachedRun {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.get_or_insert(at, CachedRun::default))
    }

    /// Requests for runs that do not exist must not evict those that do.
    pub fn forget_absent(&self, at: (TenantId, RunId), folded: &Run) {
        if !folded.exists() {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).pop(&at);
        }
    }

    /// Folds the events that the run does not have yet, and returns whether there were any.
    pub async fn catch_up(&self, log: &Log, at: (TenantId, RunId), folded: &mut Arc<Run>) -> Result<bool, LogError> {
        let before = folded.version();
        loop {
            let page = log.read_stream(at.0, StreamId::Run(at.1), folded.version(), PAGE).await?;
            let from = folded.version();
            if !page.is_empty() {
                self.fold(log, at, folded, &page)?;
            }
            if page.len() < PAGE {
                return Ok(folded.version() > before);
            }
            // The first of many pages.
            if from == Version(0)
                && let Some(stored) = self.stored(log, at, folded.version()).await?
            {
                *folded = Arc::new(stored);
            }
        }
    }

    /// Folds events. A run that cannot be folded is dropped from the cache, so that the next load reads it again and reports
    /// the same error.
    pub fn fold(
        &self,
        log: &Log,
        at: (TenantId, RunId),
        folded: &mut Arc<Run>,
        events: &[Arc<Recorded>],
    ) -> Result<(), LogError> {
        let run = Arc::make_mut(folded);
        for recorded in events {
            let before = run.version();
            if let Err(corrupt) = run.apply(recorded) {
                *folded = Arc::default();
                return Err(corrupt.into());
            }
            if Snapshots::due(before, run.version()) {
                self.store(log, at, run, recorded.hash);
            }
        }
        Ok(())
    }

    /// The newest stored state that is newer than `newer_than`.
    async fn stored(&self, log: &Log, at: (TenantId, RunId), newer_than: Version) -> Result<Option<Run>, LogError> {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        let found = snapshots.find::<Run>(log, of(at), Version(u64::MAX)).await?;
        Ok(found.filter(|(version, run)| run.version() == *version && *version > newer_than).map(|(_, run)| run))
    }

    /// Stores the state in the background: no command waits for it.
    fn store(&self, log: &Log, at: (TenantId, RunId), run: &Run, hash: Hash) {
        let Some(snapshots) = self.snapshots.clone() else { return };
        let (log, run) = (log.clone(), run.clone());
        tokio::spawn(async move { snapshots.store(&log, of(at), run.version(), hash, &run).await });
    }
}

const fn of((tenant, run): (TenantId, RunId)) -> SnapshotOf {
    SnapshotOf { tenant, stream: StreamId::Run(run), fold: RUN_FOLD }
}

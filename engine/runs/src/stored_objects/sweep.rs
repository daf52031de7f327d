//! Removes the objects of superseded or abandoned attempts: each leaves an artifact that no event names.
//!
//! A run's objects are listed first and its history is read afterwards. If no block of it is queued or running then, each
//! attempt that wrote a listed object has ended or is fenced, so an object that no event names now will never be named.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt as _;
use luci_schema::{
    BlockEvent, BlockId, Event, Micros, Position, Recorded, RunEvent, RunId, StreamId, TenantId, Version, log::Log,
    object_key::ObjectKey, object_version,
};
use luci_storage::Storage;
use tokio_util::sync::CancellationToken;

use super::{BATCH_SIZE, StoredObjectsError, StoredObjectsOptions, paused};
use crate::{lease_guard::LeaseGuard, retry_pause::RetryPause};

pub(super) async fn run(options: &StoredObjectsOptions, log: &Log, storage: &Storage, stop: &CancellationToken) {
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "object-sweep", &options.lease, stop).await else { break };
        let sweeper = Sweeper { options, log, storage, lease: &lease };
        let ended = tokio::select! {
            ended = sweeper.work(&mut pause) => ended,
            () = stop.cancelled() => Ok(()),
            () = lease.lost().cancelled() => Ok(()),
        };
        let why = ended.as_ref().err().map(ToString::to_string);
        lease.release(why.as_deref()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "object sweep failed, retrying");
            paused(&mut pause, stop).await;
        }
    }
}

struct Sweeper<'a> {
    options: &'a StoredObjectsOptions,
    log: &'a Log,
    storage: &'a Storage,
    lease: &'a LeaseGuard,
}

/// How far the sweeper is.
struct Progress {
    /// The log is read up to here.
    at: Position,
    /// The follower's checkpoint.
    saved: Position,
    /// Runs that had a block in flight, and where each ended: swept again at the next sweep.
    busy: HashMap<(TenantId, RunId), Position>,
}

impl Progress {
    /// Before the end of every busy run: after an error or a restart, the next sweeper meets it again.
    fn checkpoint(&self) -> Position {
        self.busy.values().min().map_or(self.at, |end| Position(end.0 - 1))
    }
}

impl Sweeper<'_> {
    async fn work(&self, pause: &mut RetryPause) -> Result<(), StoredObjectsError> {
        let at = self.lease.position();
        let mut progress = Progress { at, saved: at, busy: HashMap::new() };
        loop {
            self.sweep(&mut progress).await?;
            self.clean_up().await?;
            *pause = RetryPause::default();
            tokio::time::sleep(self.options.sweep_every).await;
        }
    }

    async fn sweep(&self, progress: &mut Progress) -> Result<(), StoredObjectsError> {
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let before = Micros::now().plus_millis(-grace);
        for (run, end) in progress.busy.clone() {
            self.sweep_ended(progress, run, end, before).await?;
        }
        loop {
            let batch = self.log.read(progress.at, BATCH_SIZE).await?;
            let old: Vec<_> = batch.iter().take_while(|event| event.recorded_at < before).collect();
            let Some(last) = old.last() else { break };
            let ends = old.iter().filter_map(|event| Some((ended_run(event)?, event.position)));
            for (run, end) in ends.collect::<HashMap<_, _>>() {
                self.sweep_ended(progress, run, end, before).await?;
            }
            progress.at = last.position;
            self.save(progress).await?;
        }
        self.save(progress).await
    }

    async fn clean_up(&self) -> Result<(), StoredObjectsError> {
        for cleanup in &self.options.cleanups {
            let mut c = self.log.pool().acquire().await?;
            let removed = (cleanup.remove)(&mut c, self.storage).await?;
            if removed > 0 {
                metrics::counter!("luci_objects_swept_total").increment(removed);
                tracing::info!(objects = cleanup.objects, removed, "objects removed");
            }
        }
        Ok(())
    }

    async fn sweep_ended(
        &self,
        progress: &mut Progress,
        run: (TenantId, RunId),
        end: Position,
        before: Micros,
    ) -> Result<(), StoredObjectsError> {
        match sweep_run(self.log, self.storage, run, before).await? {
            Swept::Busy => progress.busy.insert(run, end),
            Swept::Done => progress.busy.remove(&run),
        };
        Ok(())
    }

    async fn save(&self, progress: &mut Progress) -> Result<(), StoredObjectsError> {
        let to = progress.checkpoint();
        if to == progress.saved {
            return Ok(());
        }
        let mut tx = self.lease.pool().begin().await?;
        self.lease.checkpoint(&mut tx, progress.saved, to).await?;
        tx.commit().await?;
        progress.saved = to;
        Ok(())
    }
}

/// The run that ended with this event.
pub(super) fn ended_run(recorded: &Recorded) -> Option<(TenantId, RunId)> {
    let StreamId::Run(run) = recorded.stream_id else { return None };
    match &recorded.event {
        Event::Run(RunEvent::Completed(_) | RunEvent::Failed(_) | RunEvent::Cancelled(_) | RunEvent::Deleted(_)) => {
            Some((recorded.tenant_id, run))
        }
        Event::Run(_) | Event::Block(_) | Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    Done,
    /// A block is queued or running: nothing was removed.
    Busy,
}

/// Removes the run's objects that no event names and that are older than `before`, by the store's clock.
pub async fn sweep_run(
    log: &Log,
    storage: &Storage,
    (tenant, run): (TenantId, RunId),
    before: Micros,
) -> Result<Swept, StoredObjectsError> {
    let folder = ObjectKey::artifacts_of(tenant, run);
    let listed: Vec<_> = storage.list(&folder).try_collect().await?;
    if listed.is_empty() {
        return Ok(Swept::Done);
    }
    let history = History::read(log, tenant, run).await?;
    if !history.in_flight.is_empty() {
        return Ok(Swept::Busy);
    }
    // Versions without erased people: the events of the tenant name them. An erasure writes one again before it names it, so
    // that one that is older than `before` is named here or will never be.
    let mut c = log.pool().acquire().await?;
    let replacements: HashSet<String> =
        object_version::replacements(&mut c, tenant, &folder).await?.into_iter().collect();
    drop(c);
    let unnamed =
        |path: &str| !history.named.contains(path) && !replacements.contains(path) && path.parse::<ObjectKey>().is_ok();
    for object in listed.iter().filter(|object| object.modified < before && unnamed(&object.path)) {
        storage.delete(&object.path).await?;
        metrics::counter!("luci_objects_swept_total").increment(1);
        tracing::info!(tenant.id = %tenant, run.id = %run, object = object.path, "orphaned object removed");
    }
    Ok(Swept::Done)
}

/// What a run's events say of its objects.
#[derive(Default)]
struct History {
    named: HashSet<String>,
    /// Blocks that are queued or running.
    in_flight: HashSet<BlockId>,
}

impl History {
    async fn read(log: &Log, tenant: TenantId, run: RunId) -> Result<Self, StoredObjectsError> {
        let (mut history, mut after) = (Self::default(), Version(0));
        loop {
            let page = log.read_stream(tenant, run.into(), after, BATCH_SIZE).await?;
            page.iter().for_each(|recorded| history.fold(&recorded.event));
            match page.last() {
                Some(last) if page.len() == BATCH_SIZE => after = last.version,
                _ => return Ok(history),
            }
        }
    }

    fn fold(&mut self, event: &Event) {
        self.named.extend(event.artifacts().iter().map(|artifact| artifact.object_path.clone()));
        let Event::Block(event) = event else { return };
        match event {
            BlockEvent::Queued(_) | BlockEvent::Started(_) => self.in_flight.insert(event.block_id()),
            BlockEvent::Completed(_) | BlockEvent::Failed(_) | BlockEvent::Cancelled(_) => {
                self.in_flight.remove(&event.block_id())
            }
            BlockEvent::Retried(_) | BlockEvent::Skipped(_) => false,
        };
    }
}

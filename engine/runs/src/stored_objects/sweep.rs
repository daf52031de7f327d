//! Removes the objects of attempts that did not count: a superseded attempt, or one that died before its completion, leaves
//! an artifact that no event names.
//!
//! A run's objects are listed first and its history is read afterwards. If no block of it is queued or running then, each
//! attempt that wrote a listed object has ended or is fenced: what no event names now, none will ever name.

use std::collections::HashSet;

use futures::TryStreamExt as _;
use luci_schema::{
    BlockEvent, BlockId, Event, Micros, Position, Recorded, RunEvent, RunId, StreamId, TenantId, Version, log::Log,
    object_key::ObjectKey,
};
use luci_storage::Storage;
use tokio_util::sync::CancellationToken;

use super::{BATCH_SIZE, StoredObjectsError, StoredObjectsOptions, paused};
use crate::{lease_guard::LeaseGuard, retry_pause::RetryPause};

pub(super) async fn run(options: &StoredObjectsOptions, log: &Log, storage: &Storage, stop: &CancellationToken) {
    let mut pause = RetryPause::default();
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "object-sweep", &options.lease, stop).await else { break };
        let ended = Sweeper { options, log, storage, lease: &lease }.work(stop).await;
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

impl Sweeper<'_> {
    async fn work(&self, stop: &CancellationToken) -> Result<(), StoredObjectsError> {
        let mut at = self.lease.position();
        // Runs with a block under way: asked again at the next sweep.
        let mut busy: HashSet<(TenantId, RunId)> = HashSet::new();
        loop {
            self.sweep(&mut at, &mut busy).await?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.lease.lost().cancelled() => return Ok(()),
                () = tokio::time::sleep(self.options.sweep_every) => {}
            }
        }
    }

    async fn sweep(&self, at: &mut Position, busy: &mut HashSet<(TenantId, RunId)>) -> Result<(), StoredObjectsError> {
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let before = Micros::now().plus_millis(-grace);
        for (tenant, run) in std::mem::take(busy) {
            if sweep_run(self.log, self.storage, (tenant, run), before).await? == Swept::Busy {
                busy.insert((tenant, run));
            }
        }
        loop {
            let batch = self.log.read(*at, BATCH_SIZE).await?;
            let old: Vec<_> = batch.iter().take_while(|event| event.recorded_at < before).collect();
            let Some(last) = old.last() else { return Ok(()) };
            let ended: HashSet<(TenantId, RunId)> = old.iter().filter_map(|event| ended_run(event)).collect();
            for (tenant, run) in ended {
                if sweep_run(self.log, self.storage, (tenant, run), before).await? == Swept::Busy {
                    busy.insert((tenant, run));
                }
            }
            let mut tx = self.lease.pool().begin().await?;
            self.lease.checkpoint(&mut tx, *at, last.position).await?;
            tx.commit().await?;
            *at = last.position;
        }
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
    let listed: Vec<_> = storage.list(&ObjectKey::artifacts_of(tenant, run)).try_collect().await?;
    if listed.is_empty() {
        return Ok(Swept::Done);
    }
    let history = History::read(log, tenant, run).await?;
    if !history.under_way.is_empty() {
        return Ok(Swept::Busy);
    }
    let unnamed = |path: &str| !history.named.contains(path) && path.parse::<ObjectKey>().is_ok();
    for object in listed.iter().filter(|object| object.modified < before && unnamed(&object.path)) {
        storage.delete(&object.path).await?;
        metrics::counter!("luci_objects_swept_total").increment(1);
        tracing::info!(tenant.id = %tenant, run.id = %run, object = object.path, "object of an attempt that did not count removed");
    }
    Ok(Swept::Done)
}

/// What a run's events say of its objects.
#[derive(Default)]
struct History {
    named: HashSet<String>,
    /// Blocks that are queued or running.
    under_way: HashSet<BlockId>,
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
            BlockEvent::Queued(_) | BlockEvent::Started(_) => self.under_way.insert(event.block_id()),
            BlockEvent::Completed(_) | BlockEvent::Failed(_) | BlockEvent::Cancelled(_) => {
                self.under_way.remove(&event.block_id())
            }
            BlockEvent::Retried(_) | BlockEvent::Skipped(_) => false,
        };
    }
}

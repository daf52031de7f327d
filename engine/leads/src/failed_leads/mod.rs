//! The failed leads of a run that no retry has processed since: finds the artifacts that hold them from the run's events.
//!
//! The list of artifacts is not enough: a retry in which every lead succeeds writes no artifact that supersedes the old one,
//! and a block that failed before it wrote an artifact has its leads only in its input.

mod lines;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use luci_schema::{
    BlockId, Event, Failure, ImportId, RunId, TenantId, Version,
    event::{Artifact, BlockEvent, BlockInput, BlockReport, RunEvent, RunInput},
    log::{Log, LogError},
};

pub use crate::failed_leads::lines::lines;

/// Types of artifacts that hold failed leads; rejected leads cannot be retried, only corrected.
const FAILED: &str = "failed";
const REJECTED: &str = "rejected";
/// Events of a read.
const PAGE: usize = 500;
/// Runs whose history is cached.
const CACHED_RUNS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Where failed leads are stored.
#[derive(Debug, Clone, PartialEq)]
pub enum FailedLeadSource {
    /// All lines of a `failed` or `rejected` artifact.
    Artifact(Box<Artifact>),
    /// The leads of a failed block's input that are in none of its artifacts.
    Unaccounted(Box<UnaccountedLeads>),
}

/// Leads that a block wrote to no artifact before it failed.
#[derive(Debug, Clone, PartialEq)]
pub struct UnaccountedLeads {
    input: BlockInput,
    /// The import of the run, for a block that reads its rows.
    import: Option<ImportId>,
    /// The artifacts that the block wrote.
    accounted: Vec<Artifact>,
    failure: Failure,
    leads: u64,
}

impl FailedLeadSource {
    pub fn leads(&self) -> u64 {
        match self {
            Self::Artifact(artifact) => artifact.leads,
            Self::Unaccounted(unaccounted) => unaccounted.leads,
        }
    }
}

/// Finds failed leads. Caches the histories of recent runs, so that the next page of a list reads only newer events.
pub struct FailedLeads {
    log: Log,
    runs: Mutex<LruCache<(TenantId, RunId), CachedHistory>>,
}

/// The history of a run up to a version.
#[derive(Clone, Default)]
struct CachedHistory {
    version: Version,
    history: Arc<History>,
}

impl FailedLeads {
    pub fn new(log: Log) -> Self {
        Self { log, runs: Mutex::new(LruCache::new(CACHED_RUNS)) }
    }

    /// The sources of a run's failed leads, in the order of the blocks.
    pub async fn of_run(&self, tenant: TenantId, run: RunId) -> Result<Vec<FailedLeadSource>, LogError> {
        let mut cached = self.runs().get(&(tenant, run)).cloned().unwrap_or_default();
        let before = cached.version;
        loop {
            let page = self.log.read_stream(tenant, run.into(), cached.version, PAGE).await?;
            if let Some(last) = page.last() {
                let history = Arc::make_mut(&mut cached.history);
                page.iter().for_each(|recorded| history.fold(&recorded.event));
                cached.version = last.version;
            }
            if page.len() < PAGE {
                break;
            }
        }
        if cached.version > before {
            self.cache(tenant, run, &cached);
        }
        Ok(cached.history.sources())
    }

    /// Caches the history, unless a newer one is cached.
    fn cache(&self, tenant: TenantId, run: RunId, history: &CachedHistory) {
        let mut runs = self.runs();
        if runs.peek(&(tenant, run)).is_none_or(|cached| cached.version < history.version) {
            runs.put((tenant, run), history.clone());
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, LruCache<(TenantId, RunId), CachedHistory>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fold of a run's events: only the blocks that are queued or running, or have failed leads.
#[derive(Debug, Clone, Default)]
struct History {
    import: Option<ImportId>,
    blocks: HashMap<BlockId, Block>,
}

#[derive(Debug, Clone, Default)]
struct Block {
    sequence: u32,
    input: Option<BlockInput>,
    /// Rejected in completed attempts; a retry does not process these again.
    rejected: Vec<Artifact>,
    /// The failed leads of the last attempt.
    failed: Vec<FailedLeadSource>,
}

impl History {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::Run(RunEvent::Queued(queued)) => {
                if let RunInput::Import { import_id, .. } | RunInput::Leads { import_id, .. } = &queued.input {
                    self.import = Some(*import_id);
                }
            }
            Event::Block(event) => self.fold_block(event),
            Event::Run(_) | Event::Artifact(_) | Event::Config(_) | Event::Unknown(_) => {}
        }
    }

    fn fold_block(&mut self, event: &BlockEvent) {
        if let BlockEvent::Queued(queued) = event {
            let block = self.blocks.entry(queued.block_id).or_default();
            block.sequence = queued.sequence;
            block.input = Some(queued.input.clone());
            return;
        }
        let (id, import) = (event.block_id(), self.import);
        let Some(block) = self.blocks.get_mut(&id) else { return };
        match event {
            BlockEvent::Completed(completed) => block.complete(&completed.report),
            BlockEvent::Failed(failed) => block.fail(&failed.report, &failed.failure, import),
            BlockEvent::Cancelled(cancelled) => {
                if let Some(report) = &cancelled.report {
                    block.complete(report);
                }
            }
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => return,
        }
        // A retry queues the block again, which adds it again.
        if block.rejected.is_empty() && block.failed.is_empty() {
            self.blocks.remove(&id);
        }
    }

    fn sources(&self) -> Vec<FailedLeadSource> {
        let mut blocks: Vec<&Block> = self.blocks.values().collect();
        blocks.sort_unstable_by_key(|block| block.sequence);
        let of_block = |block: &Block| {
            let rejected: Vec<FailedLeadSource> = block.rejected.iter().cloned().map(in_artifact).collect();
            rejected.into_iter().chain(block.failed.clone())
        };
        blocks.into_iter().flat_map(of_block).filter(|source| source.leads() > 0).collect()
    }
}

impl Block {
    /// The attempt has written each of its leads to an artifact.
    fn complete(&mut self, report: &BlockReport) {
        self.rejected.extend(of_type(report, REJECTED).cloned());
        self.failed = of_type(report, FAILED).cloned().map(in_artifact).collect();
    }

    /// The attempt failed: a retry processes all of its leads again.
    fn fail(&mut self, report: &BlockReport, failure: &Failure, import: Option<ImportId>) {
        let written = of_type(report, FAILED).chain(of_type(report, REJECTED));
        self.failed = written.cloned().map(in_artifact).collect();
        let written: u64 = self.failed.iter().map(FailedLeadSource::leads).sum();
        let leads = report.counts.failed.saturating_sub(written);
        if let (Some(input), 1..) = (self.input.clone(), leads) {
            let (accounted, failure) = (report.artifacts.clone(), failure.clone());
            let unaccounted = UnaccountedLeads { input, import, accounted, failure, leads };
            self.failed.push(FailedLeadSource::Unaccounted(Box::new(unaccounted)));
        }
    }
}

fn in_artifact(artifact: Artifact) -> FailedLeadSource {
    FailedLeadSource::Artifact(Box::new(artifact))
}

fn of_type<'a>(report: &'a BlockReport, kind: &'a str) -> impl Iterator<Item = &'a Artifact> {
    report.artifacts.iter().filter(move |artifact| artifact.artifact_type == kind)
}

#[cfg(test)]
mod tests;

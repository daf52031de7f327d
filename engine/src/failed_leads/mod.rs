//! The leads of a run that failed and were not mended since: which artifacts hold them, as its history says.
//!
//! Read from the log, not from the list of artifacts: a retry that mends every lead leaves no artifact behind that would
//! supersede the old one, and a block that broke before it wrote any left its leads in its input.

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

pub use lines::lines;

/// Artifacts that hold failed leads; `rejected` ones cannot be retried, only mended.
const FAILED: &str = "failed";
const REJECTED: &str = "rejected";
/// Events read at once.
const PAGE: usize = 1_000;
/// Runs whose failed leads are remembered.
const KEPT: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Where failed leads stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// All lines of a `failed` or `rejected` artifact.
    Lines(Box<Artifact>),
    /// Those of a broken block's input that none of its artifacts accounts for.
    Rest(Box<Rest>),
}

/// Leads that a block gave no account of before it broke.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    input: BlockInput,
    /// The input whose rows a block that reads the source would have read.
    import: Option<ImportId>,
    accounted: Vec<Artifact>,
    failure: Failure,
    leads: u64,
}

impl Source {
    pub fn leads(&self) -> u64 {
        match self {
            Self::Lines(artifact) => artifact.leads,
            Self::Rest(rest) => rest.leads,
        }
    }
}

/// Finds them. What was folded of the runs that were asked about last is kept, so that the next page of a long run's list
/// reads only what happened since.
pub struct FailedLeads {
    log: Log,
    runs: Mutex<LruCache<(TenantId, RunId), Known>>,
}

/// A history up to a version.
#[derive(Clone, Default)]
struct Known {
    version: Version,
    history: Arc<History>,
}

impl FailedLeads {
    pub fn new(log: Log) -> Self {
        Self { log, runs: Mutex::new(LruCache::new(KEPT)) }
    }

    /// The sources of a run's failed leads, in the order of its blocks.
    pub async fn of_run(&self, tenant: TenantId, run: RunId) -> Result<Vec<Source>, LogError> {
        let mut known = self.runs().get(&(tenant, run)).cloned().unwrap_or_default();
        let before = known.version;
        loop {
            let page = self.log.read_stream(tenant, run.into(), known.version, PAGE).await?;
            if let Some(last) = page.last() {
                let history = Arc::make_mut(&mut known.history);
                page.iter().for_each(|recorded| history.fold(&recorded.event));
                known.version = last.version;
            }
            if page.len() < PAGE {
                break;
            }
        }
        if known.version > before {
            self.keep(tenant, run, &known);
        }
        Ok(known.history.sources())
    }

    /// Somebody else may have read further meanwhile.
    fn keep(&self, tenant: TenantId, run: RunId, known: &Known) {
        let mut runs = self.runs();
        if runs.peek(&(tenant, run)).is_none_or(|kept| kept.version < known.version) {
            runs.put((tenant, run), known.clone());
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, LruCache<(TenantId, RunId), Known>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What matters of the blocks so far: of those that are under way, and of those that have failed leads.
#[derive(Debug, Clone, Default)]
struct History {
    import: Option<ImportId>,
    blocks: HashMap<BlockId, Block>,
}

#[derive(Debug, Clone, Default)]
struct Block {
    sequence: u32,
    input: Option<BlockInput>,
    /// Refused in attempts that completed: a retry does not send these again.
    refused: Vec<Artifact>,
    newest: Vec<Source>,
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
            BlockEvent::Completed(completed) => block.ended(&completed.report),
            BlockEvent::Failed(failed) => block.broke(&failed.report, &failed.failure, import),
            BlockEvent::Cancelled(cancelled) => {
                if let Some(report) = &cancelled.report {
                    block.ended(report);
                }
            }
            BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => return,
        }
        // Released again, it is told of anew.
        if block.refused.is_empty() && block.newest.is_empty() {
            self.blocks.remove(&id);
        }
    }

    fn sources(&self) -> Vec<Source> {
        let mut blocks: Vec<&Block> = self.blocks.values().collect();
        blocks.sort_unstable_by_key(|block| block.sequence);
        let of_block = |block: &Block| {
            let refused: Vec<Source> = block.refused.iter().cloned().map(lines_of).collect();
            refused.into_iter().chain(block.newest.clone())
        };
        blocks.into_iter().flat_map(of_block).filter(|source| source.leads() > 0).collect()
    }
}

impl Block {
    /// The attempt accounted for each of its leads.
    fn ended(&mut self, report: &BlockReport) {
        self.refused.extend(of_type(report, REJECTED).cloned());
        self.newest = of_type(report, FAILED).cloned().map(lines_of).collect();
    }

    /// The attempt broke: a retry takes all of its leads up again.
    fn broke(&mut self, report: &BlockReport, failure: &Failure, import: Option<ImportId>) {
        let told = of_type(report, FAILED).chain(of_type(report, REJECTED));
        self.newest = told.cloned().map(lines_of).collect();
        let told: u64 = self.newest.iter().map(Source::leads).sum();
        let leads = report.counts.failed.saturating_sub(told);
        if let (Some(input), 1..) = (self.input.clone(), leads) {
            let (accounted, failure) = (report.artifacts.clone(), failure.clone());
            self.newest.push(Source::Rest(Box::new(Rest { input, import, accounted, failure, leads })));
        }
    }
}

fn lines_of(artifact: Artifact) -> Source {
    Source::Lines(Box::new(artifact))
}

fn of_type<'a>(report: &'a BlockReport, kind: &'a str) -> impl Iterator<Item = &'a Artifact> {
    report.artifacts.iter().filter(move |artifact| artifact.artifact_type == kind)
}

#[cfg(test)]
mod tests;

//! The rows of runs and blocks in memory, and the fold of the run streams into them. They are one state because a run's
//! row holds sums over its blocks. What an event did to them is passed on to every projection.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use luci_schema::{ArtifactEvent, BlockEvent, BlockId, Event, Recorded, RunEvent, RunId, StreamId, event::BlockQueued};

pub use self::block_row::BlockFault;
use self::stages::BlockBefore;
pub(crate) use self::{
    artifact_version::{ArtifactVersion, created_by},
    block_row::{BlockDetail, BlockRow},
    run_row::{RunFailure, RunRow},
};
use crate::{column::bigint, fold_error::FoldError, status::RunStatus};

mod artifact_version;
mod block_row;
mod run_row;
mod stage_times;
pub(crate) mod stages;

/// Rows kept after a batch, so that the next one need not load them. An open block takes about 0.6 kB, a run 3 kB.
const KEEP_RUNS: usize = 4_000;
const KEEP_BLOCKS: usize = 40_000;

#[derive(Debug, Default)]
pub(crate) struct RunState {
    pub(crate) runs: HashMap<RunId, RunRow>,
    pub(crate) blocks: HashMap<BlockId, BlockRow>,
    changed_runs: HashSet<RunId>,
    changed_blocks: HashSet<BlockId>,
    /// Of the newest event's artifacts; kept to reuse its memory.
    versions: Vec<ArtifactVersion>,
}

/// What an event did to its run.
#[derive(Debug)]
pub(crate) struct RunChange<'a> {
    /// The row after the event.
    pub(crate) run: &'a RunRow,
    /// What `RunRow::counts_as` was before the event.
    pub(crate) before: Option<RunStatus>,
    /// The block of a block event, after the event.
    pub(crate) block: Option<&'a BlockRow>,
    /// One entry for each of `created_by`, in order.
    pub(crate) versions: &'a [ArtifactVersion],
}

/// The run whose stream the event is in.
pub(crate) fn run_of(r: &Recorded) -> Option<RunId> {
    if let StreamId::Run(run) = r.stream_id { Some(run) } else { None }
}

impl RunState {
    /// Runs that a batch needs and memory lacks.
    pub(crate) fn missing_runs(&self, batch: &[Arc<Recorded>]) -> Vec<RunId> {
        let (mut missing, mut created) = (HashSet::new(), HashSet::new());
        for r in batch {
            let Some(run) = run_of(r) else { continue };
            if self.runs.contains_key(&run) || created.contains(&run) {
                continue;
            }
            let first_seen = if r.version.0 == 1 { &mut created } else { &mut missing };
            first_seen.insert(run);
        }
        missing.into_iter().collect()
    }

    /// Blocks that a batch needs and memory lacks. Their runs must be loaded: a run's row says which blocks are new.
    pub(crate) fn missing_blocks(&self, batch: &[Arc<Recorded>]) -> Vec<BlockId> {
        let (mut missing, mut created) = (HashSet::new(), HashSet::new());
        for r in batch {
            let (Some(run), Event::Block(event)) = (run_of(r), &r.event) else { continue };
            let block = event.block_id();
            if self.blocks.contains_key(&block) || created.contains(&block) {
                continue;
            }
            let newest = self.runs.get(&run).map_or(0, |row| row.blocks);
            let is_new = matches!(event, BlockEvent::Queued(e) if is_new(e, newest));
            let first_seen = if is_new { &mut created } else { &mut missing };
            first_seen.insert(block);
        }
        missing.into_iter().collect()
    }

    pub(crate) fn changed_runs(&self) -> Vec<&RunRow> {
        self.changed_runs.iter().filter_map(|id| self.runs.get(id)).collect()
    }

    pub(crate) fn changed_blocks(&self) -> Vec<&BlockRow> {
        self.changed_blocks.iter().filter_map(|id| self.blocks.get(id)).collect()
    }

    /// Folds one event. `None`: it is not of a run.
    pub(crate) fn apply(&mut self, r: &Recorded) -> Result<Option<RunChange<'_>>, FoldError> {
        let stream = |r: &Recorded| {
            Err(FoldError::Stream { at: r.position, stream: r.stream_id, event_type: r.event_type.clone() })
        };
        match (&r.event, run_of(r)) {
            (Event::Run(event), Some(run)) => self.run(run, r, event).map(Some),
            (Event::Block(event), Some(run)) => self.block(run, r, event).map(Some),
            (Event::Artifact(ArtifactEvent::Created(_)), Some(run)) => self.artifact(run, r).map(Some),
            (Event::Unknown(_), Some(_)) => Err(FoldError::unknown(r)),
            // Configuration has streams of its own, and runs have no others.
            (Event::Config(_), Some(_)) | (Event::Run(_) | Event::Block(_) | Event::Artifact(_), None) => stream(r),
            (Event::Config(_) | Event::Unknown(_), None) => Ok(None),
        }
    }

    fn run(&mut self, run: RunId, r: &Recorded, event: &RunEvent) -> Result<RunChange<'_>, FoldError> {
        if let RunEvent::Queued(e) = event {
            return match self.runs.entry(run) {
                Entry::Vacant(entry) if r.version.0 == 1 => {
                    self.changed_runs.insert(run);
                    let run = entry.insert(RunRow::queued(run, r, e));
                    Ok(RunChange { run, before: None, block: None, versions: &[] })
                }
                Entry::Vacant(_) | Entry::Occupied(_) => {
                    let (event_type, found) = (r.event_type.clone(), r.version.0);
                    Err(FoldError::NotFirst { at: r.position, run, event_type, found })
                }
            };
        }
        let row = next_version(&mut self.runs, &mut self.changed_runs, run, r)?;
        let before = row.counts_as();
        row.apply(r, event);
        Ok(RunChange { run: row, before, block: None, versions: &[] })
    }

    fn block(&mut self, run: RunId, r: &Recorded, event: &BlockEvent) -> Result<RunChange<'_>, FoldError> {
        let Self { runs, blocks, changed_runs, changed_blocks, versions } = self;
        let row = next_version(runs, changed_runs, run, r)?;
        let Some(sum) = row.stages.iter_mut().find(|sum| sum.stage == event.stage()) else {
            return Err(FoldError::NoStage { at: r.position, run, event_type: r.event_type.clone() });
        };
        let id = event.block_id();
        let (block, before) = match (blocks.entry(id), event) {
            (Entry::Occupied(entry), _) => {
                let block = entry.into_mut();
                sum.subtract(block).ok_or_else(|| FoldError::negative(r, "a sum of its stage"))?;
                let before = BlockBefore::of(block);
                (block, Some(before))
            }
            (Entry::Vacant(entry), BlockEvent::Queued(e)) => {
                row.blocks = row.blocks.max(i32::try_from(e.sequence).unwrap_or(i32::MAX));
                (entry.insert(BlockRow::queued(run, r, e)), None)
            }
            (Entry::Vacant(_), event) => {
                return Err(FoldError::NoBlock { at: r.position, block: id, event_type: event.type_name().into() });
            }
        };
        let created = created_by(&r.event);
        versions.clear();
        versions.extend(created.iter().map(|made| block.add_artifact(&made.artifact_type, made.artifact_id)));
        block.apply(r, event);
        sum.add(block);
        sum.note(event, before.as_ref(), r.recorded_at);
        row.apply_block(event);
        changed_blocks.insert(id);
        Ok(RunChange { run: row, before: row.counts_as(), block: Some(block), versions })
    }

    /// An artifact that no block made: the first and only version.
    fn artifact(&mut self, run: RunId, r: &Recorded) -> Result<RunChange<'_>, FoldError> {
        let row = next_version(&mut self.runs, &mut self.changed_runs, run, r)?;
        let versions = &[ArtifactVersion { number: 1, supersedes: None }];
        Ok(RunChange { run: row, before: row.counts_as(), block: None, versions })
    }

    /// For a fold that writes no rows.
    pub(crate) fn forget_changes(&mut self) {
        self.changed_runs.clear();
        self.changed_blocks.clear();
    }

    /// After the batch was committed: clears what it changed, and drops rows that nothing more will happen to.
    pub(crate) fn settle(&mut self) {
        for id in self.changed_blocks.drain() {
            if self.blocks.get(&id).is_some_and(|block| block.status.settled()) {
                self.blocks.remove(&id);
            }
        }
        for id in self.changed_runs.drain() {
            if self.runs.get(&id).is_some_and(|run| run.completed_at.is_some()) {
                self.runs.remove(&id);
            }
        }
        // Rare: more open rows than are kept. All of them can be loaded again.
        if self.blocks.len() > KEEP_BLOCKS {
            self.blocks = HashMap::new();
        }
        if self.runs.len() > KEEP_RUNS {
            self.runs = HashMap::new();
        }
    }
}

/// The run's row, moved to the event's version and marked as changed.
fn next_version<'a>(
    runs: &'a mut HashMap<RunId, RunRow>,
    changed: &mut HashSet<RunId>,
    run: RunId,
    r: &Recorded,
) -> Result<&'a mut RunRow, FoldError> {
    let Some(row) = runs.get_mut(&run) else {
        return Err(FoldError::NoRun { at: r.position, run, event_type: r.event_type.clone() });
    };
    if bigint(r.version.0) != row.version + 1 {
        return Err(FoldError::Version { at: r.position, run, before: row.version, found: r.version.0 });
    }
    row.version += 1;
    row.position = bigint(r.position.0);
    changed.insert(run);
    Ok(row)
}

/// Blocks get rising sequences, so one beyond the newest has no row yet.
fn is_new(e: &BlockQueued, newest: i32) -> bool {
    i64::from(e.sequence) > i64::from(newest)
}

#[cfg(test)]
mod tests;

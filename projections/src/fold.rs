//! The fold: events in, rows out, all in memory and without a clock. The projector, a rebuild, the drift check and
//! the past of one run use this one.

use std::collections::{HashMap, HashSet};

use luci_schema::{
    ArtifactId, BlockEvent, BlockId, Event, Position, Recorded, RunEvent, RunId, StreamId, TenantId,
    event::{Artifact as Made, BlockQueued},
};

use crate::{
    artifacts::Artifact,
    blocks::BlockRow,
    column::big,
    counters::Counters,
    runs::{FailedBlock, RunRow},
    stages::{self, Before},
};

/// Rows kept after a batch, so that the next one need not load them. An open block takes about 0.6 kB, a run 3 kB.
const KEEP_RUNS: usize = 4_000;
const KEEP_BLOCKS: usize = 40_000;

/// An event that cannot be folded. The follower stops: going on would make the tables wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error("position {at}: {event_type} of {run} comes before its run:queued")]
    NoRun { at: Position, run: RunId, event_type: String },
    #[error("position {at}: {event_type} of {block} comes before its block:queued")]
    NoBlock { at: Position, block: BlockId, event_type: String },
    #[error("position {at}: version {found} of {run} follows version {before}")]
    Version { at: Position, run: RunId, before: i64, found: u64 },
    #[error("position {at}: {event_type} of {run} is not known here: a newer process wrote it")]
    Unknown { at: Position, run: RunId, event_type: String },
    #[error("position {at}: {event_type} of {run} names a stage that its blueprint has not")]
    NoStage { at: Position, run: RunId, event_type: String },
}

/// Rows in memory, and which of them the current batch changed.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) runs: HashMap<RunId, RunRow>,
    pub(crate) blocks: HashMap<BlockId, BlockRow>,
    pub(crate) counters: Counters,
    pub(crate) changed_runs: HashSet<RunId>,
    pub(crate) changed_blocks: HashSet<BlockId>,
    /// Made in this batch.
    pub(crate) artifacts: Vec<Artifact>,
    /// Replaced in this batch: older, newer.
    pub(crate) superseded: Vec<(ArtifactId, ArtifactId)>,
}

/// The run of an event that read models are folded from.
pub(crate) fn run_of(r: &Recorded) -> Option<RunId> {
    match (&r.event, r.stream_id) {
        (Event::Config(_), _) => None,
        (_, StreamId::Run(run)) => Some(run),
        _ => None,
    }
}

impl Fold {
    /// Rows that a batch needs and memory lacks: runs first, since a run tells which blocks are new.
    pub(crate) fn missing_runs(&self, batch: &[impl AsRef<Recorded>]) -> Vec<RunId> {
        let mut missing = HashSet::new();
        let mut born = HashSet::new();
        for r in batch.iter().map(AsRef::as_ref) {
            let Some(run) = run_of(r).filter(|run| !self.runs.contains_key(run) && !born.contains(run)) else {
                continue;
            };
            if r.version.0 == 1 {
                born.insert(run)
            } else {
                missing.insert(run)
            };
        }
        missing.into_iter().collect()
    }

    pub(crate) fn missing_blocks(&self, batch: &[impl AsRef<Recorded>]) -> Vec<BlockId> {
        let mut missing = HashSet::new();
        let mut born = HashSet::new();
        for r in batch.iter().map(AsRef::as_ref) {
            let (Some(run), Event::Block(event)) = (run_of(r), &r.event) else { continue };
            let block = event.block_id();
            if self.blocks.contains_key(&block) || born.contains(&block) {
                continue;
            }
            let newest = self.runs.get(&run).map_or(0, |row| row.blocks);
            match event {
                BlockEvent::Queued(e) if is_new(e, newest) => born.insert(block),
                _ => missing.insert(block),
            };
        }
        missing.into_iter().collect()
    }

    pub(crate) fn missing_tenants(&self, batch: &[impl AsRef<Recorded>]) -> Vec<TenantId> {
        let events = batch.iter().map(AsRef::as_ref).filter(|r| run_of(r).is_some());
        let missing: HashSet<TenantId> = events.map(|r| r.tenant_id).filter(|t| !self.counters.knows(*t)).collect();
        missing.into_iter().collect()
    }

    pub(crate) fn apply(&mut self, r: &Recorded) -> Result<(), FoldError> {
        let Some(run) = run_of(r) else { return Ok(()) };
        match &r.event {
            Event::Run(event) => self.run(run, r, event),
            Event::Block(event) => self.block(run, r, event),
            Event::Artifact(luci_schema::ArtifactEvent::Created(made)) => {
                self.touch(run, r)?;
                self.artifacts.push(Artifact::made(run, None, 1, r, made));
                Ok(())
            }
            // Configuration has streams of its own.
            Event::Config(_) => Ok(()),
            Event::Unknown(name) => Err(FoldError::Unknown { at: r.position, run, event_type: name.clone() }),
        }
    }

    /// The run's row, marked as changed by this event.
    fn touch(&mut self, run: RunId, r: &Recorded) -> Result<&mut RunRow, FoldError> {
        let row = self.runs.get_mut(&run).ok_or_else(|| FoldError::NoRun {
            at: r.position,
            run,
            event_type: r.event_type.clone(),
        })?;
        if big(r.version.0) != row.version + 1 {
            return Err(FoldError::Version { at: r.position, run, before: row.version, found: r.version.0 });
        }
        row.version += 1;
        row.position = big(r.position.0);
        self.changed_runs.insert(run);
        Ok(row)
    }

    fn run(&mut self, run: RunId, r: &Recorded, event: &RunEvent) -> Result<(), FoldError> {
        if let (RunEvent::Queued(e), 1) = (event, r.version.0) {
            let row = RunRow::queued(run, r, e);
            self.counters.moved(row.tenant_id, None, row.counts_as());
            self.runs.insert(run, row);
            self.changed_runs.insert(run);
            return Ok(());
        }
        let row = self.touch(run, r)?;
        let before = row.counts_as();
        row.apply(r, event);
        let (tenant, after) = (row.tenant_id, row.counts_as());
        self.counters.moved(tenant, before, after);
        Ok(())
    }

    fn block(&mut self, run: RunId, r: &Recorded, event: &BlockEvent) -> Result<(), FoldError> {
        let id = event.block_id();
        self.touch(run, r)?;
        let (Some(run_row), before) = (self.runs.get_mut(&run), self.blocks.remove(&id)) else {
            return Err(FoldError::NoRun { at: r.position, run, event_type: r.event_type.clone() });
        };
        let Some(sum) = run_row.stages.iter_mut().find(|sum| sum.stage == event.stage()) else {
            return Err(FoldError::NoStage { at: r.position, run, event_type: r.event_type.clone() });
        };
        let was = before.as_ref().map(Before::of);
        let mut block = match (before, event) {
            (Some(block), _) => {
                sum.take_out(&block);
                block
            }
            (None, BlockEvent::Queued(e)) => {
                run_row.blocks = run_row.blocks.max(i32::try_from(e.sequence).unwrap_or(i32::MAX));
                BlockRow::queued(run, r, e)
            }
            (None, _) => {
                return Err(FoldError::NoBlock { at: r.position, block: id, event_type: r.event_type.clone() });
            }
        };
        for made in artifacts_of(event) {
            let (version, replaced) = block.take_artifact(&made.artifact_type, made.artifact_id);
            self.artifacts.push(Artifact::made(run, Some(id), version, r, made));
            self.superseded.extend(replaced.map(|older| (older, made.artifact_id)));
        }
        block.apply(r, event);
        sum.put_back(&block);
        sum.note(event, was.as_ref(), r.recorded_at);
        follow(run_row, event);
        self.changed_blocks.insert(id);
        self.blocks.insert(id, block);
        Ok(())
    }

    /// After the batch was written: forgets what it changed, and rows that nothing more will happen to.
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
        self.artifacts.clear();
        self.superseded.clear();
        self.counters.settle();
        // Rare: more open rows than are kept. All of them can be loaded again.
        if self.blocks.len() > KEEP_BLOCKS {
            self.blocks = HashMap::new();
        }
        if self.runs.len() > KEEP_RUNS {
            self.runs = HashMap::new();
        }
    }
}

/// Blocks get rising sequences, so one beyond the newest has no row yet.
fn is_new(e: &BlockQueued, newest: i32) -> bool {
    i64::from(e.sequence) > i64::from(newest)
}

fn artifacts_of(event: &BlockEvent) -> &[Made] {
    match event {
        BlockEvent::Completed(e) => &e.report.artifacts,
        BlockEvent::Failed(e) => &e.report.artifacts,
        BlockEvent::Cancelled(e) => e.report.as_ref().map_or(&[], |report| &report.artifacts),
        BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) | BlockEvent::Skipped(_) => &[],
    }
}

/// What a block's event says of its run.
fn follow(run: &mut RunRow, event: &BlockEvent) {
    let id = event.block_id();
    if run.failed_block.as_ref().is_some_and(|failed| failed.block_id == id) {
        run.failed_block = None;
    }
    match event {
        BlockEvent::Queued(_) | BlockEvent::Started(_) | BlockEvent::Retried(_) => {}
        BlockEvent::Completed(e) => run.totals(&e.totals),
        BlockEvent::Failed(e) => {
            run.totals(&e.totals);
            run.failed_block.get_or_insert(FailedBlock {
                block_id: id,
                stage: e.stage,
                block_number: e.block_number,
                code: e.failure.code,
                retry_at: e.retry_at_micros,
            });
        }
        BlockEvent::Skipped(e) => run.totals(&e.totals),
        BlockEvent::Cancelled(e) => run.totals(&e.totals),
    }
    run.current_stage = stages::current(&run.stages);
}

#[cfg(test)]
mod tests;

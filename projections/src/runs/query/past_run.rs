//! A run as it was after an event, folded event by event: what an answer shows, and what a later event may change.
//!
//! Bounded: a settled block that nothing can change any more is kept only while it is among the newest that an answer lists;
//! of the artifacts, the newest.

use std::cmp::Reverse;

use luci_schema::{BlockId, Micros, Position, Recorded, Version, log::SnapshotFold};
use serde::{Deserialize, Serialize, Serializer};

use super::detail::{ARTIFACTS, OPEN, OTHERS, RunDetail, detail};
use crate::{
    artifacts::{Artifact, ArtifactFold},
    fold::Fold as _,
    fold_error::FoldError,
    run_state::{BlockRow, RunRow, RunState},
    status::BlockStatus,
};

/// The stored form of `PastRun`; see `build.rs`.
pub const PAST_RUN_FOLD: SnapshotFold = SnapshotFold { name: "past_run", version: env!("LUCI_FOLD") };

/// Blocks and artifacts beyond those kept before they are dropped: sorting is not done for each event.
const SLACK: usize = 500;
/// The artifact of a block whose failed leads can be retried.
const FAILED: &str = "failed";

/// The default is the run before its first event.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Stored")]
pub struct PastRun {
    state: RunState,
    artifacts: Vec<Artifact>,
    version: Version,
    position: Position,
    at: Micros,
    /// Rows left by the last `prune`.
    kept: usize,
}

impl PastRun {
    /// Version of the newest folded event.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Folds the next event of the run's stream.
    pub fn apply(&mut self, event: &Recorded) -> Result<(), FoldError> {
        let change = self.state.apply(event)?;
        let mut fold = ArtifactFold::default();
        fold.apply(event, change.as_ref())?;
        self.artifacts.extend(fold.created);
        for (older, newer) in fold.superseded {
            if let Some(artifact) = self.artifacts.iter_mut().find(|artifact| artifact.artifact_id == older) {
                artifact.superseded_by = Some(newer);
            }
        }
        self.state.forget_changes();
        (self.version, self.position, self.at) = (event.version, event.position, event.recorded_at);
        if self.state.blocks.len() + self.artifacts.len() > self.kept + SLACK {
            self.prune();
        }
        Ok(())
    }

    /// The run after the newest folded event; `None` before its first. A run of the past never waits for a slot: the tenant's
    /// other runs are not folded.
    pub fn detail(mut self) -> Option<RunDetail> {
        newest_artifacts(&mut self.artifacts);
        let row = self.state.runs.into_values().next()?;
        let mut blocks: Vec<BlockRow> = self.state.blocks.into_values().collect();
        blocks.sort_by_key(|block| Reverse(block.sequence));
        let (mut open, mut others) = (0, 0);
        blocks.retain(|block| {
            let is_open = matches!(block.status, BlockStatus::Failed | BlockStatus::Running);
            let (taken, most) = if is_open { (&mut open, OPEN) } else { (&mut others, OTHERS) };
            *taken += 1;
            *taken <= most
        });
        Some(detail(row, None, blocks, self.artifacts, self.position, self.at.date_time()))
    }

    /// Drops what no answer shows and no later event changes.
    pub(crate) fn prune(&mut self) {
        newest_artifacts(&mut self.artifacts);
        let blocks = &mut self.state.blocks;
        let mut ended: Vec<(i32, BlockId)> =
            blocks.values().filter(|block| is_final(block)).map(|block| (block.sequence, block.block_id)).collect();
        ended.sort_unstable_by_key(|ended| Reverse(*ended));
        for (_, id) in ended.iter().skip(OTHERS) {
            blocks.remove(id);
        }
        self.kept = blocks.len() + self.artifacts.len();
    }
}

/// Nothing can happen to it: it was skipped or cancelled, or completed without failed leads that a retry could send again.
fn is_final(block: &BlockRow) -> bool {
    match block.status {
        BlockStatus::Completed => !block.detail.heads.contains_key(FAILED),
        BlockStatus::Skipped | BlockStatus::Cancelled => true,
        BlockStatus::Pending | BlockStatus::Running | BlockStatus::Failed => false,
    }
}

fn newest_artifacts(artifacts: &mut Vec<Artifact>) {
    artifacts.sort_by_key(|artifact| Reverse(artifact.artifact_id));
    artifacts.truncate(ARTIFACTS);
}

/// How a `PastRun` is stored.
#[derive(Deserialize)]
struct Stored {
    run: Option<RunRow>,
    blocks: Vec<BlockRow>,
    artifacts: Vec<Artifact>,
    version: Version,
    position: Position,
    at: Micros,
}

/// The same, borrowed.
#[derive(Serialize)]
struct StoredRef<'a> {
    run: Option<&'a RunRow>,
    blocks: Vec<&'a BlockRow>,
    artifacts: &'a [Artifact],
    version: Version,
    position: Position,
    at: Micros,
}

impl Serialize for PastRun {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { state, artifacts, version, position, at, kept: _ } = self;
        let mut blocks: Vec<&BlockRow> = state.blocks.values().collect();
        blocks.sort_unstable_by_key(|block| block.sequence);
        let run = state.runs.values().next();
        StoredRef { run, blocks, artifacts, version: *version, position: *position, at: *at }.serialize(serializer)
    }
}

impl From<Stored> for PastRun {
    fn from(stored: Stored) -> Self {
        let Stored { run, blocks, mut artifacts, version, position, at } = stored;
        // An answer does not show the tenant, so an artifact is stored without it.
        let tenant = run.as_ref().map(|run| run.tenant_id);
        artifacts.iter_mut().for_each(|artifact| artifact.tenant_id = tenant.unwrap_or(artifact.tenant_id));
        let mut state = RunState::default();
        state.runs.extend(run.map(|run| (run.run_id, run)));
        state.blocks.extend(blocks.into_iter().map(|block| (block.block_id, block)));
        let kept = state.blocks.len() + artifacts.len();
        Self { state, artifacts, version, position, at, kept }
    }
}

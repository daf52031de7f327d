//! Sums per stage of a run: blocks by status, leads, cost. Each block's share is subtracted before the block changes and
//! added again after, so the sums equal those over the blocks after every event.

use std::collections::BTreeMap;

use luci_schema::{BlockEvent, Counts, FailureCode, Micros, Stage, event::StageSpec};
use serde::{Deserialize, Deserializer, Serialize};

use super::{block_row::BlockRow, stage_times::StageTimes};
use crate::status::BlockStatus;

/// Blocks of one stage by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockTally {
    pub pending: u32,
    pub running: u32,
    pub completed: u32,
    pub failed: u32,
    pub skipped: u32,
    pub cancelled: u32,
}

impl BlockTally {
    pub const fn total(&self) -> u32 {
        self.pending + self.running + self.completed + self.failed + self.skipped + self.cancelled
    }

    /// Blocks that are still to be executed, or wait for a decision.
    pub const fn open(&self) -> u32 {
        self.pending + self.running + self.failed
    }

    fn of(&mut self, status: BlockStatus) -> &mut u32 {
        match status {
            BlockStatus::Pending => &mut self.pending,
            BlockStatus::Running => &mut self.running,
            BlockStatus::Completed => &mut self.completed,
            BlockStatus::Failed => &mut self.failed,
            BlockStatus::Skipped => &mut self.skipped,
            BlockStatus::Cancelled => &mut self.cancelled,
        }
    }
}

/// What one stage of a run has done so far, as kept in `pipeline_runs.stages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSum {
    pub stage: Stage,
    /// The blueprint's own name for it.
    pub name: String,
    #[serde(default, with = "short_tally", skip_serializing_if = "is_default")]
    pub blocks: BlockTally,
    /// Leads of settled blocks, and of completed ones that are retried.
    #[serde(default, with = "short_counts", skip_serializing_if = "is_default")]
    pub counts: Counts,
    #[serde(default, skip_serializing_if = "is_default")]
    pub cost_micros: u64,
    /// Blocks whose output goes on to the next stage.
    #[serde(rename = "handedOn", default, skip_serializing_if = "is_default")]
    pub passed_on: u32,
    /// IMPORT: the end of the input was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhausted: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub score_sum: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureCode, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    /// Of the block that started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub times: StageTimes,
}

fn is_default<T: PartialEq + Default>(value: &T) -> bool {
    *value == T::default()
}

/// The numbers without the zeros at their end: the sums are written with every batch that touches the run.
fn short<T: Copy + PartialEq + Default, const N: usize>(numbers: &[T; N]) -> &[T] {
    let kept = numbers.iter().rposition(|n| *n != T::default()).map_or(0, |last| last + 1);
    &numbers[..kept]
}

/// The numbers with those zeros.
fn whole<'de, T: Copy + Default + Deserialize<'de>, const N: usize, D: Deserializer<'de>>(
    d: D,
) -> Result<[T; N], D::Error> {
    let kept = Vec::<T>::deserialize(d)?;
    if kept.len() > N {
        return Err(serde::de::Error::invalid_length(kept.len(), &"fewer numbers"));
    }
    let mut all = [T::default(); N];
    all[..kept.len()].copy_from_slice(&kept);
    Ok(all)
}

mod short_tally {
    use serde::{Deserializer, Serialize, Serializer};

    use super::{BlockTally, short, whole};

    pub fn serialize<S: Serializer>(t: &BlockTally, s: S) -> Result<S::Ok, S::Error> {
        short(&[t.pending, t.running, t.completed, t.failed, t.skipped, t.cancelled]).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BlockTally, D::Error> {
        let [pending, running, completed, failed, skipped, cancelled] = whole(d)?;
        Ok(BlockTally { pending, running, completed, failed, skipped, cancelled })
    }
}

mod short_counts {
    use luci_schema::Counts;
    use serde::{Deserializer, Serialize, Serializer};

    use super::{short, whole};

    pub fn serialize<S: Serializer>(c: &Counts, s: S) -> Result<S::Ok, S::Error> {
        short(&[c.input, c.success, c.no_match, c.failed, c.skipped]).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Counts, D::Error> {
        let [input, success, no_match, failed, skipped] = whole(d)?;
        Ok(Counts { input, success, no_match, failed, skipped })
    }
}

impl StageSum {
    pub fn new(spec: &StageSpec) -> Self {
        Self {
            stage: spec.stage,
            name: spec.name.clone(),
            blocks: BlockTally::default(),
            counts: Counts::default(),
            cost_micros: 0,
            passed_on: 0,
            exhausted: false,
            score_sum: 0,
            failures: BTreeMap::new(),
            warnings: BTreeMap::new(),
            provider: None,
            times: StageTimes::default(),
        }
    }

    /// `None` when a sum would become negative: it was not the sum over the blocks.
    #[must_use]
    pub(crate) fn subtract(&mut self, block: &BlockRow) -> Option<()> {
        let blocks = self.blocks.of(block.status);
        *blocks = blocks.checked_sub(1)?;
        self.cost_micros = self.cost_micros.checked_sub(block.cost_micros)?;
        self.score_sum = self.score_sum.checked_sub(block.detail.score_sum)?;
        if block.counted() {
            self.counts = Counts {
                input: self.counts.input.checked_sub(block.counts.input)?,
                success: self.counts.success.checked_sub(block.counts.success)?,
                no_match: self.counts.no_match.checked_sub(block.counts.no_match)?,
                failed: self.counts.failed.checked_sub(block.counts.failed)?,
                skipped: self.counts.skipped.checked_sub(block.counts.skipped)?,
            };
        }
        subtract_each(&mut self.failures, &block.detail.failures)?;
        subtract_each(&mut self.warnings, &block.detail.warnings)
    }

    pub(crate) fn add(&mut self, block: &BlockRow) {
        *self.blocks.of(block.status) += 1;
        self.cost_micros += block.cost_micros;
        self.score_sum += block.detail.score_sum;
        if block.counted() {
            self.counts += block.counts;
        }
        add_each(&mut self.failures, &block.detail.failures);
        add_each(&mut self.warnings, &block.detail.warnings);
    }

    /// What is no sum over blocks: the stage's times, what went on to the next stage, the end of the input. `before` is
    /// absent for a new block.
    pub(crate) fn note(&mut self, event: &BlockEvent, before: Option<&BlockBefore>, at: Micros) {
        match event {
            BlockEvent::Queued(_) => self.times.queued = Some(at),
            BlockEvent::Started(e) => self.started(at, &e.provider),
            BlockEvent::Completed(e) => {
                self.started(e.started_at_micros, &e.provider);
                self.times.settled = Some(at);
                self.passed_on += u32::from(e.report.counts.output() > 0);
                // A retry of an earlier block does not reach the end of the input.
                if e.stage == Stage::Import && !before.is_some_and(|b| b.completed_once) {
                    self.exhausted = e.report.next.is_none();
                }
            }
            BlockEvent::Failed(e) => {
                self.started(e.started_at_micros, &e.provider);
                self.times.settled = Some(at);
            }
            BlockEvent::Skipped(_) => {
                self.times.settled = Some(at);
                if let Some(before) = before {
                    self.passed_on += u32::from(before.output_if_skipped > 0);
                    self.exhausted |= before.skip_ends_input;
                }
            }
            BlockEvent::Cancelled(_) => self.times.settled = Some(at),
            BlockEvent::Retried(_) => {}
        }
    }

    fn started(&mut self, at: Micros, provider: &str) {
        self.times.started_at(at);
        if self.provider.as_deref() != Some(provider) {
            self.provider = Some(provider.into());
        }
    }
}

/// A block before an event, as far as `StageSum::note` needs it.
pub(crate) struct BlockBefore {
    pub completed_once: bool,
    /// Leads that go on to the next stage if the block is skipped.
    output_if_skipped: u64,
    /// IMPORT: skipping it ends the input.
    skip_ends_input: bool,
}

impl BlockBefore {
    pub(crate) fn of(block: &BlockRow) -> Self {
        let skipped = if block.completed_once { block.detail.failed_retry.unwrap_or_default() } else { block.counts };
        let reads_input = block.stage == Stage::Import && !block.completed_once;
        Self {
            completed_once: block.completed_once,
            output_if_skipped: skipped.output(),
            skip_ends_input: reads_input && !block.detail.has_next,
        }
    }
}

fn add_each<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, share: &BTreeMap<K, u64>) {
    for (key, n) in share {
        *sums.entry(key.clone()).or_default() += n;
    }
}

fn subtract_each<K: Ord>(sums: &mut BTreeMap<K, u64>, share: &BTreeMap<K, u64>) -> Option<()> {
    for (key, n) in share {
        // A share of 0 leaves no sum behind.
        if *n > 0 {
            let sum = sums.get_mut(key)?;
            *sum = sum.checked_sub(*n)?;
        }
    }
    if !share.is_empty() {
        sums.retain(|_, n| *n > 0);
    }
    Some(())
}

/// Per stage: how many blocks it has in all, and whether it is finished. The total is known once the stage before is
/// finished; a stage is finished when as many blocks are settled and none waits for a decision.
pub fn totals(stages: &[StageSum]) -> Vec<(Option<u32>, bool)> {
    let mut expected: Option<u32> = None; // blocks from the stage before, once that is finished
    let mut totals = Vec::with_capacity(stages.len());
    for (index, sum) in stages.iter().enumerate() {
        let total = match index {
            0 => (sum.exhausted && sum.blocks.open() == 0).then(|| sum.blocks.total()),
            _ => expected.map(|n| n.max(sum.blocks.total())),
        };
        let finished = total.is_some_and(|n| sum.blocks.open() == 0 && sum.blocks.total() >= n);
        expected = finished.then_some(sum.passed_on);
        totals.push((total, finished));
    }
    totals
}

/// The stage that the run is in: the first that is not finished, else the last.
pub fn current(stages: &[StageSum]) -> Option<Stage> {
    let unfinished = totals(stages).iter().position(|(_, finished)| !finished);
    stages.get(unfinished.unwrap_or(stages.len().saturating_sub(1))).map(|sum| sum.stage)
}

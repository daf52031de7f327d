//! Sums per stage of a run: blocks by status, leads, cost. Each block's share is taken out before the block changes and
//! put back after, so the sums are those of the blocks at every moment.

use std::collections::BTreeMap;

use luci_schema::{BlockEvent, Counts, FailureCode, Micros, Stage, event::StageSpec};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{blocks::BlockRow, stage_times::StageTimes, status::BlockStatus};

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

    /// Blocks that are still to be carried out, or to be decided on.
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
    #[serde(default, with = "short_tally", skip_serializing_if = "nothing")]
    pub blocks: BlockTally,
    /// Leads of settled blocks, and of completed ones that are tried again.
    #[serde(default, with = "short_counts", skip_serializing_if = "nothing")]
    pub counts: Counts,
    #[serde(default, skip_serializing_if = "nothing")]
    pub cost_micros: u64,
    /// Blocks that this stage has handed on to the next.
    #[serde(default, skip_serializing_if = "nothing")]
    pub handed_on: u32,
    /// IMPORT: the end of the input was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhausted: bool,
    #[serde(default, skip_serializing_if = "nothing")]
    pub score_sum: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureCode, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, u64>,
    /// Who the newest begun block asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "nothing")]
    pub times: StageTimes,
}

fn nothing<T: PartialEq + Default>(value: &T) -> bool {
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
            handed_on: 0,
            exhausted: false,
            score_sum: 0,
            failures: BTreeMap::new(),
            warnings: BTreeMap::new(),
            provider: None,
            times: StageTimes::default(),
        }
    }

    pub(crate) fn take_out(&mut self, block: &BlockRow) {
        *self.blocks.of(block.status) -= 1;
        self.cost_micros -= block.cost_micros;
        self.score_sum -= block.detail.score_sum;
        if block.counted() {
            self.counts.input -= block.counts.input;
            self.counts.success -= block.counts.success;
            self.counts.no_match -= block.counts.no_match;
            self.counts.failed -= block.counts.failed;
            self.counts.skipped -= block.counts.skipped;
        }
        subtract(&mut self.failures, &block.detail.failures);
        subtract(&mut self.warnings, &block.detail.warnings);
    }

    pub(crate) fn put_back(&mut self, block: &BlockRow) {
        *self.blocks.of(block.status) += 1;
        self.cost_micros += block.cost_micros;
        self.score_sum += block.detail.score_sum;
        if block.counted() {
            self.counts += block.counts;
        }
        add(&mut self.failures, &block.detail.failures);
        add(&mut self.warnings, &block.detail.warnings);
    }

    /// What only the stage keeps: when something last happened in it, and what it handed on.
    pub(crate) fn note(&mut self, event: &BlockEvent, before: Option<&Before>, at: Micros) {
        match event {
            BlockEvent::Queued(_) => self.times.queued = Some(at),
            BlockEvent::Started(e) => self.began(at, &e.provider),
            BlockEvent::Completed(e) => {
                self.began(e.started_at_micros, &e.provider);
                self.times.settled = Some(at);
                self.handed_on += u32::from(e.report.counts.output() > 0);
                // A retry of an earlier block says nothing about the end of the input.
                if e.stage == Stage::Import && !before.is_some_and(|b| b.completed_once) {
                    self.exhausted = e.report.next.is_none();
                }
            }
            BlockEvent::Failed(e) => {
                self.began(e.started_at_micros, &e.provider);
                self.times.settled = Some(at);
            }
            BlockEvent::Skipped(_) => {
                self.times.settled = Some(at);
                if let Some(before) = before {
                    self.handed_on += u32::from(before.goes_on > 0);
                    self.exhausted |= before.ends_input;
                }
            }
            BlockEvent::Cancelled(_) => self.times.settled = Some(at),
            BlockEvent::Retried(_) => {}
        }
    }

    fn began(&mut self, at: Micros, provider: &str) {
        self.times.began(at);
        if self.provider.as_deref() != Some(provider) {
            self.provider = Some(provider.into());
        }
    }
}

/// What a block was before the event that `StageSum::note` is told of.
pub(crate) struct Before {
    pub completed_once: bool,
    /// Leads that go on if the block is skipped now.
    goes_on: u64,
    /// Skipping it ends the input.
    ends_input: bool,
}

impl Before {
    pub(crate) fn of(block: &BlockRow) -> Self {
        let undone = if block.completed_once { block.detail.broken.unwrap_or_default() } else { block.counts };
        let reads = block.stage == Stage::Import && !block.completed_once;
        Self {
            completed_once: block.completed_once,
            goes_on: undone.output(),
            ends_input: reads && !block.detail.reads_on,
        }
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, share: &BTreeMap<K, u64>) {
    for (key, n) in share {
        *sums.entry(key.clone()).or_default() += n;
    }
}

fn subtract<K: Ord>(sums: &mut BTreeMap<K, u64>, share: &BTreeMap<K, u64>) {
    for (key, n) in share {
        if let Some(sum) = sums.get_mut(key) {
            *sum -= n;
        }
    }
    if !share.is_empty() {
        sums.retain(|_, n| *n > 0);
    }
}

/// How many blocks each stage has in all: known once nothing more can reach it. A stage is finished when that many are
/// settled and none waits for a decision.
pub fn totals(stages: &[StageSum]) -> Vec<(Option<u32>, bool)> {
    let mut reaches: Option<u32> = None; // blocks handed on by a finished stage before
    let mut answers = Vec::with_capacity(stages.len());
    for (index, sum) in stages.iter().enumerate() {
        let total = match index {
            0 => (sum.exhausted && sum.blocks.open() == 0).then(|| sum.blocks.total()),
            _ => reaches.map(|n| n.max(sum.blocks.total())),
        };
        let finished = total.is_some_and(|n| sum.blocks.open() == 0 && sum.blocks.total() >= n);
        reaches = finished.then_some(sum.handed_on);
        answers.push((total, finished));
    }
    answers
}

/// The stage that the run is in: the first that is not finished, else the last.
pub fn current(stages: &[StageSum]) -> Option<Stage> {
    let unfinished = totals(stages).iter().position(|(_, finished)| !finished);
    stages.get(unfinished.unwrap_or(stages.len().saturating_sub(1))).map(|sum| sum.stage)
}

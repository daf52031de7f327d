//! A run's totals (leads that have left, progress, cost): computed once, by `decide`, and stored in the events.

use luci_schema::{
    Counts, Stage,
    event::{RunSummary, RunTotals},
};

use crate::core::{
    report,
    state::{Run, SourceState},
};

/// What an event changes in the totals.
pub(super) struct TotalsChange {
    pub stage: Stage,
    /// Counts of the block before and after.
    pub before: Counts,
    pub after: Counts,
    pub cost_micros: u64,
    /// IMPORT has reached the end of the input.
    pub drains: bool,
}

/// The totals after a change. Processed leads and progress never fall, although retried leads re-enter the pipeline.
pub(super) fn after(run: &Run, change: &TotalsChange) -> RunTotals {
    let mut sums: Vec<Counts> = run.stages.iter().map(|stage| stage.sums).collect();
    if let Some(at) = run.index(change.stage) {
        // Counts that do not fit are refused when the event is folded.
        sums[at] = report::replaced(sums[at], change.before, change.after).unwrap_or(sums[at]);
    }
    let drained = change.drains || run.source == SourceState::Drained;
    let total = total_leads(run, &sums, drained);
    RunTotals {
        processed_leads: processed(&sums).max(run.totals.processed_leads),
        progress: progress(&sums, total).max(run.totals.progress),
        cost_micros: run.totals.cost_micros + change.cost_micros,
    }
}

/// The totals when only the cost changed.
pub(super) fn spent(run: &Run, cost_micros: u64) -> RunTotals {
    RunTotals { cost_micros: run.totals.cost_micros + cost_micros, ..run.totals }
}

pub(super) fn summary(run: &Run) -> RunSummary {
    let sums: Vec<Counts> = run.stages.iter().map(|stage| stage.sums).collect();
    RunSummary {
        total_leads: total_leads(run, &sums, run.source == SourceState::Drained),
        processed_leads: processed(&sums).max(run.totals.processed_leads),
        cost_micros: run.totals.cost_micros,
        stages: run.stages.iter().map(|stage| (stage.stage, stage.sums)).collect(),
    }
}

/// Leads of the source that no block has accounted for.
pub(super) fn unread(run: &Run) -> u64 {
    let read = run.stages.first().map_or(0, |import| import.sums.input);
    run.pinned.as_ref().map_or(0, |pinned| pinned.total_leads.saturating_sub(read))
}

/// Rows read, once the end is reached; until then the counted size of the input.
fn total_leads(run: &Run, sums: &[Counts], drained: bool) -> u64 {
    let read = sums.first().map_or(0, |import| import.input);
    let counted = run.pinned.as_ref().map_or(0, |pinned| pinned.total_leads);
    if drained { read } else { counted.max(read) }
}

/// Leads that have left the pipeline: through the last stage, or failed in one.
fn processed(sums: &[Counts]) -> u64 {
    let failed: u64 = sums.iter().map(|stage| stage.failed).sum();
    failed + sums.last().map_or(0, |last| last.output())
}

/// Percent of all leads times stages that is done, at most 99: only a completed run has 100. A failed lead counts as done
/// in all later stages.
fn progress(sums: &[Counts], total: u64) -> u8 {
    let mut left = 0;
    let mut done = 0;
    for stage in sums {
        done += stage.input + left;
        left += stage.failed;
    }
    let all = total.saturating_mul(sums.len() as u64);
    let percent = done.saturating_mul(100).checked_div(all).unwrap_or(0);
    u8::try_from(percent.min(99)).unwrap_or(99)
}

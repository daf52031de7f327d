//! A run's budget: it pauses before the block that would exceed it.

use luci_schema::{Stage, event::BlockInput};

use super::state::{Run, StageState};

/// Whether a block over `input` may spend more than is left, after what the blocks in flight will spend. A person who
/// resumes a run that its budget paused grants the budget once more, and one block whatever it costs.
pub(super) fn exceeded(run: &Run, stage: Stage, input: &BlockInput) -> bool {
    let Some(spendable) = run.spendable else { return false };
    let cost = estimate(run, stage, input);
    if cost == 0 || run.granted {
        return false;
    }
    let in_flight: u64 = run
        .open
        .values()
        .filter(|block| block.state.in_flight())
        .map(|block| estimate(run, block.stage, &block.input))
        .sum();
    run.totals.cost_micros + in_flight + cost > spendable
}

/// Micro-dollars that the block may cost: by `priceMicros` of the stage's pinned config (the most a lead can cost), else
/// by what the stage's leads cost until now.
fn estimate(run: &Run, stage: Stage, input: &BlockInput) -> u64 {
    let BlockInput::Artifact { leads, .. } = input else { return 0 };
    let pinned = run.spec(stage).and_then(|spec| spec.config.get("priceMicros")?.as_u64());
    let observed = || run.stages.iter().find(|state| state.stage == stage).map_or(0, average);
    leads.saturating_mul(pinned.unwrap_or_else(observed))
}

fn average(stage: &StageState) -> u64 {
    if stage.sent == 0 { 0 } else { stage.cost_micros.div_ceil(stage.sent) }
}

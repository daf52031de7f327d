//! A run's budget: the run pauses before releasing a block that could exceed it.
//!
//! A block may spend at most its leads times the pinned price per lead, less what earlier attempts on the same leads paid
//! (their answers are stored and reused). Blocks in flight reserve what they may still spend, so the budget is never
//! exceeded while providers keep to their prices.

use luci_schema::{Stage, event::BlockInput};

use crate::core::state::{Run, StageState};

/// Micro-dollars by which releasing one more block could exceed the budget; `None` when it cannot. `paid` is what earlier
/// attempts spent on its leads.
pub(super) fn missing(run: &Run, stage: Stage, input: &BlockInput, paid: u64) -> Option<u64> {
    let budget = run.budget?;
    let maximum = max_cost(run, stage, input, paid);
    if maximum == 0 {
        return None;
    }
    committed(run).saturating_add(maximum).checked_sub(budget).filter(|missing| *missing > 0)
}

/// Micro-dollars by which spent and reserved money together exceed `budget`.
pub(super) fn committed_beyond(run: &Run, budget: u64) -> Option<u64> {
    committed(run).checked_sub(budget).filter(|missing| *missing > 0)
}

fn committed(run: &Run) -> u64 {
    let in_flight = run.open.values().filter(|block| block.state.in_flight());
    in_flight
        .map(|block| max_cost(run, block.stage, &block.input, block.paid))
        .fold(run.totals.cost_micros, u64::saturating_add)
}

fn max_cost(run: &Run, stage: Stage, input: &BlockInput, paid: u64) -> u64 {
    let BlockInput::Artifact { leads, .. } = input else { return 0 };
    leads.saturating_mul(per_lead(run, stage)).saturating_sub(paid)
}

/// The pinned price; for a run without pinned prices, the stage's average cost so far.
fn per_lead(run: &Run, stage: Stage) -> u64 {
    let Some(pinned) = run.pinned.as_ref() else { return 0 };
    if pinned.prices.is_empty() {
        return run.stages.iter().find(|state| state.stage == stage).map_or(0, average);
    }
    pinned.prices.most_per_lead.get(&stage).copied().unwrap_or(0)
}

fn average(stage: &StageState) -> u64 {
    if stage.sent == 0 { 0 } else { stage.cost_micros.div_ceil(stage.sent) }
}

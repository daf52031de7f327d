//! A run's budget: it pauses before the block that could exceed it.
//!
//! What a block may spend is the most that its leads can cost at the pinned prices, less what earlier attempts on the same
//! leads have paid: their answers are stored and asked first. Blocks in flight hold back what they may still spend. So no
//! more than the budget is ever spent while the providers keep to their prices.

use luci_schema::{Stage, event::BlockInput};

use super::state::{Block, Run, StageState};

/// By how much releasing one more block could exceed the budget; `None` when it cannot. `paid` is what was spent on its
/// leads before.
pub(super) fn missing(run: &Run, stage: Stage, input: &BlockInput, paid: u64) -> Option<u64> {
    let budget = run.budget?;
    let most = most(run, stage, input, paid);
    if most == 0 {
        return None;
    }
    committed(run).saturating_add(most).checked_sub(budget).filter(|missing| *missing > 0)
}

/// By how much what is spent and what is in flight are over this budget.
pub(super) fn committed_beyond(run: &Run, budget: u64) -> Option<u64> {
    committed(run).checked_sub(budget).filter(|missing| *missing > 0)
}

fn committed(run: &Run) -> u64 {
    let in_flight = run.open.values().filter(|block| block.state.in_flight());
    in_flight.map(|block| of_block(run, block)).fold(run.totals.cost_micros, u64::saturating_add)
}

fn of_block(run: &Run, block: &Block) -> u64 {
    most(run, block.stage, &block.input, block.paid)
}

fn most(run: &Run, stage: Stage, input: &BlockInput, paid: u64) -> u64 {
    let BlockInput::Artifact { leads, .. } = input else { return 0 };
    leads.saturating_mul(per_lead(run, stage)).saturating_sub(paid)
}

/// By the pinned prices; of a run that was queued before prices were pinned, what the stage's leads cost until now.
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

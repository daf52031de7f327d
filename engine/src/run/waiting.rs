//! Why a run is not moving, as far as its own facts tell; what depends on workers or providers is asked elsewhere.

use luci_schema::{Actor, BlockId, Micros, Stage, event::PauseReason};

use super::{
    RunStatus,
    state::{BlockState, Run},
};

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A free slot of its tenant.
    Slot,
    Paused {
        by: Option<Actor>,
    },
    /// The next block could exceed its budget; a person decides.
    Budget {
        spent_micros: u64,
        budget_micros: u64,
        missing_micros: u64,
    },
    /// The automatic retry of a block.
    Retry {
        block: BlockId,
        stage: Stage,
        number: u32,
        at: Micros,
    },
    /// A failed block; a person decides.
    Failed {
        block: BlockId,
        stage: Stage,
        number: u32,
    },
}

impl Run {
    /// Why nothing moves; `None` while blocks are in flight, and for a run that is final.
    pub fn waiting(&self) -> Option<Waiting> {
        match self.status {
            RunStatus::Queued => Some(Waiting::Slot),
            RunStatus::Paused if self.pause_reason == Some(PauseReason::Budget) => Some(Waiting::Budget {
                spent_micros: self.totals.cost_micros,
                budget_micros: self.budget.unwrap_or_default(),
                missing_micros: self.missing_micros,
            }),
            RunStatus::Paused => Some(Waiting::Paused { by: self.envelope.paused_by }),
            RunStatus::Running if self.in_flight() == 0 => self.next_retry(),
            RunStatus::Failed => {
                let error = self.error.as_ref()?;
                let block = error.block_id?;
                let shelved = self.shelf.get(block)?;
                Some(Waiting::Failed { block, stage: shelved.stage, number: shelved.number })
            }
            RunStatus::Running | RunStatus::Completed | RunStatus::Cancelled => None,
        }
    }

    fn next_retry(&self) -> Option<Waiting> {
        let due = self.due.iter().filter_map(|id| {
            let block = self.shelf.get(*id)?;
            let BlockState::Failed(broken) = &block.state else { return None };
            Some(Waiting::Retry { block: *id, stage: block.stage, number: block.number, at: broken.retry_at? })
        });
        due.min_by_key(|waiting| match waiting {
            Waiting::Retry { at, .. } => *at,
            Waiting::Slot | Waiting::Paused { .. } | Waiting::Budget { .. } | Waiting::Failed { .. } => Micros(0),
        })
    }
}

//! Why a run makes no progress, as far as its own events tell; workers and providers are not known here.

use luci_schema::{Actor, BlockId, Micros, Stage, event::PauseReason};

use crate::core::{
    RunStatus,
    state::{BlockState, Run},
};

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
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
    /// What the run waits for; `None` while blocks are in flight, and when the run is final.
    pub fn waiting_for(&self) -> Option<WaitingFor> {
        match self.status {
            RunStatus::Queued => Some(WaitingFor::Slot),
            RunStatus::Paused if self.pause_reason == Some(PauseReason::Budget) => Some(WaitingFor::Budget {
                spent_micros: self.totals.cost_micros,
                budget_micros: self.budget.unwrap_or_default(),
                missing_micros: self.missing_micros,
            }),
            RunStatus::Paused => Some(WaitingFor::Paused { by: self.envelope.paused_by }),
            RunStatus::Running if self.in_flight() == 0 => self.next_retry(),
            RunStatus::Failed => {
                let error = self.error.as_ref()?;
                let block = error.block_id?;
                let failed = self.retryable.get(block)?;
                Some(WaitingFor::Failed { block, stage: failed.stage, number: failed.number })
            }
            RunStatus::Running | RunStatus::Completed | RunStatus::Cancelled => None,
        }
    }

    fn next_retry(&self) -> Option<WaitingFor> {
        let due = self.due.iter().filter_map(|id| {
            let block = self.retryable.get(*id)?;
            let BlockState::Failed(failed) = &block.state else { return None };
            Some(WaitingFor::Retry { block: *id, stage: block.stage, number: block.number, at: failed.retry_at? })
        });
        due.min_by_key(|waiting| match waiting {
            WaitingFor::Retry { at, .. } => *at,
            WaitingFor::Slot | WaitingFor::Paused { .. } | WaitingFor::Budget { .. } | WaitingFor::Failed { .. } => {
                Micros(0)
            }
        })
    }
}

//! Whether a delivered block still has to be executed, from the folded run. Pure and cheap: after the broker lost its data,
//! every block that ever was is delivered again.

use luci_schema::{BlockId, Version};

use crate::core::{BlockState, Run, RunStatus};

/// What to do with a delivery. `attempt` is the newest attempt that started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeliveryStatus {
    /// To be executed. A `running` attempt has lost its worker, or the block would not be delivered again: a new attempt
    /// must fence it.
    Runnable { attempt: u32, running: bool },
    /// The run was cancelled while an attempt ran, and its worker is gone: only its end has to be recorded.
    Abandoned { attempt: u32 },
    /// Done, superseded by a newer delivery, or not to be started now (resume queues it again).
    Stale,
}

pub(super) fn delivery_status(run: &Run, block: BlockId, queued: Version) -> DeliveryStatus {
    let Some(open) = run.open_block(block) else { return DeliveryStatus::Stale };
    if open.queued != queued || run.deleted() {
        return DeliveryStatus::Stale;
    }
    let attempt = open.attempt;
    match (&open.state, run.status()) {
        (BlockState::Pending, RunStatus::Running) => DeliveryStatus::Runnable { attempt, running: false },
        // Running blocks finish and are recorded, in a paused run too.
        (BlockState::Running, RunStatus::Running | RunStatus::Paused) => {
            DeliveryStatus::Runnable { attempt, running: true }
        }
        (BlockState::Running, RunStatus::Cancelled) => DeliveryStatus::Abandoned { attempt },
        _ => DeliveryStatus::Stale,
    }
}

/// Whether an attempt in progress should stop: its run was cancelled, or a newer delivery or attempt exists. `attempt` is
/// the newest attempt that this delivery knows of.
pub(super) fn is_superseded(run: &Run, block: BlockId, queued: Version, attempt: u32) -> bool {
    match run.open_block(block) {
        None => true,
        Some(open) => open.queued != queued || open.attempt > attempt || run.status() == RunStatus::Cancelled,
    }
}

//! Whether a delivered block is still to be worked on, judged from the folded run. Pure, and cheap: after the broker was
//! wiped every block that ever was is delivered again.

use luci_schema::{BlockId, Version};

use crate::run::{BlockState, Run, RunStatus};

/// What to do with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// To be worked on. An attempt that is running has lost its worker, or it would not be delivered again: a new one
    /// must fence it. `attempt` is the newest that started.
    Open { attempt: u32, running: bool },
    /// The run was cancelled while an attempt ran, and its worker is gone: only its end is missing.
    Orphan { attempt: u32 },
    /// Done, overtaken by a newer delivery, or not to be begun now (resume queues it again).
    Stale,
}

pub(super) fn claim(run: &Run, block: BlockId, queued: Version) -> Claim {
    let Some(open) = run.open_block(block) else { return Claim::Stale };
    if open.queued != queued || run.deleted() {
        return Claim::Stale;
    }
    let attempt = open.attempt;
    match (&open.state, run.status()) {
        (BlockState::Pending, RunStatus::Running) => Claim::Open { attempt, running: false },
        // Begun blocks finish and record, in a paused run too.
        (BlockState::Running, RunStatus::Running | RunStatus::Paused) => Claim::Open { attempt, running: true },
        (BlockState::Running, RunStatus::Cancelled) => Claim::Orphan { attempt },
        _ => Claim::Stale,
    }
}

/// Whether the attempt in hand should stop: its run was cancelled, or a newer delivery or attempt has taken over.
/// `attempt` is the newest attempt that this delivery knows of.
pub(super) fn overtaken(run: &Run, block: BlockId, queued: Version, attempt: u32) -> bool {
    match run.open_block(block) {
        None => true,
        Some(open) => open.queued != queued || open.attempt > attempt || matches!(run.status(), RunStatus::Cancelled),
    }
}

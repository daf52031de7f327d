//! What can be asked of a run: by people and the clock (the lifecycle), and by workers (the blocks).

use luci_schema::{
    Actor, BlockId, Failure, Micros, Version,
    event::{BlockReport, RunQueued},
};
use sha2::{Digest, Sha256};
use ulid::Ulid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunCommand {
    /// Makes the run; it waits for a slot of its tenant.
    Queue(Box<RunQueued>),
    /// A slot is free.
    Start,
    Pause,
    Resume,
    /// With another budget.
    ResumeWith {
        budget_micros: u64,
    },
    Cancel,
    Delete,
    /// All failed blocks of a failed run.
    RetryRun,
    RetryBlock(BlockId),
    SkipBlock(BlockId),
    /// A worker takes the block; `queued` is the version of the `block:queued` event that was delivered to it. `after` is the
    /// newest attempt that it knows of: whoever has begun a newer one since has the block in hand.
    StartBlock {
        block: BlockId,
        queued: Version,
        after: u32,
        provider: String,
    },
    CompleteBlock(Box<Completion>),
    /// The report says what was done until it broke; leads it does not account for are failed with the failure's code.
    FailBlock(Box<Completion>, Failure),
}

impl RunCommand {
    /// The command's name in refusals, metrics and log lines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume | Self::ResumeWith { .. } => "resume",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::RetryRun => "retry_run",
            Self::RetryBlock(_) => "retry_block",
            Self::SkipBlock(_) => "skip_block",
            Self::StartBlock { .. } => "start_block",
            Self::CompleteBlock(_) => "complete_block",
            Self::FailBlock(..) => "fail_block",
        }
    }
}

/// A worker's account of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub block: BlockId,
    /// Version of the `block:queued` event that was delivered.
    pub queued: Version,
    /// The attempt that StartBlock gave; `None` when it was never sent, and the completion starts and ends the attempt.
    pub attempt: Option<u32>,
    /// `internal`, `apollo` …
    pub provider: String,
    pub started_at: Micros,
    pub report: BlockReport,
}

/// What a decision may know besides the run: the time, where fresh ids come from, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub now: Micros,
    /// A fresh ULID; the ids that a decision makes derive from it, so that the same decision makes the same ids.
    pub seed: Ulid,
    pub actor: Actor,
}

impl Context {
    /// The nth id of this decision: the seed's time, and 80 bits of SHA-256 over seed and n. Adding n to the seed would
    /// meet the next seed of the same millisecond, which is the previous one plus one.
    pub(super) fn derive(&self, n: u64) -> Ulid {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_bytes());
        hash.update(n.to_be_bytes());
        let digest = hash.finalize();
        let random = digest.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Ulid::from_parts(self.seed.timestamp_ms(), random)
    }
}

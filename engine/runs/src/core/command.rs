//! Commands on a run: its lifecycle, from people and the clock, and its blocks, from workers.

use luci_schema::{
    Actor, BlockId, Failure, Micros, Version,
    event::{BlockReport, RunQueued},
};
use sha2::{Digest, Sha256};
use ulid::Ulid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunCommand {
    /// Creates the run; it then waits for a slot of its tenant.
    Queue(Box<RunQueued>),
    /// Sent by the clock when the tenant has a free slot.
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
    /// A worker starts the block. `queued` is the version of the delivered `block:queued` event. `after` is the newest
    /// attempt that the worker knows of: if a newer one has started since, the command is refused as stale.
    StartBlock {
        block: BlockId,
        queued: Version,
        after: u32,
        provider: String,
    },
    CompleteBlock(Box<Completion>),
    /// The report covers what was done before the failure; leads it does not account for fail with the failure's code.
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

/// A worker's result for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub block: BlockId,
    /// Version of the `block:queued` event that was delivered.
    pub queued: Version,
    /// The attempt that `StartBlock` returned; `None` when it was not sent: the completion then starts and ends an attempt.
    pub attempt: Option<u32>,
    /// `internal`, `apollo` …
    pub provider: String,
    pub started_at: Micros,
    pub report: BlockReport,
}

/// Inputs of a decision besides the run: time, seed of new ids, actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub now: Micros,
    /// A fresh ULID; all new ids of the decision derive from it, so the decision is reproducible.
    pub seed: Ulid,
    pub actor: Actor,
}

impl Context {
    /// The nth id of this decision: the seed's time and 80 bits of SHA-256 over seed and n. Not seed + n: that is the next
    /// seed of the same millisecond.
    pub(super) fn derive(&self, n: u64) -> Ulid {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_bytes());
        hash.update(n.to_be_bytes());
        let digest = hash.finalize();
        let random = digest.iter().take(10).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Ulid::from_parts(self.seed.timestamp_ms(), random)
    }
}

//! Refusals: `decide` said no, nothing is appended, and the caller learns why.

use luci_schema::BlockId;

use crate::core::RunStatus;

/// Why a command has no effect. Workers drop the delivery on every refusal except `Invalid`, which is a defect of a block kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run's status does not allow it (409). A block whose start a paused run refused is queued again by resume.
    #[error("{command} is not possible while the run is {}", status.as_str())]
    Illegal { status: RunStatus, command: &'static str },
    /// The run was deleted and takes no more commands (409).
    #[error("the run was deleted")]
    Deleted,
    /// The run does not exist (404).
    #[error("there is no such run")]
    Missing,
    /// The block is not in a state that the command applies to (409).
    #[error("{command} does not apply to {block}: {why}")]
    Unfit { block: BlockId, command: &'static str, why: &'static str },
    /// The input has more leads than the run may take (422); it is never truncated.
    #[error("the input has {leads} leads, the run takes at most {max_leads}")]
    TooManyLeads { leads: u64, max_leads: u64 },
    /// The budget does not cover the next block (409): resume with a budget greater by `missing_micros`.
    #[error("the budget is {missing_micros} micro-dollars too small")]
    OverBudget { missing_micros: u64 },
    /// A newer delivery or attempt of the block exists.
    #[error("superseded by a newer delivery or attempt of the block")]
    Stale,
    /// The command contradicts itself or the run (422).
    #[error("{0}")]
    Invalid(String),
}

//! Decide said no: nothing is appended, and the caller learns why.

use luci_schema::BlockId;

use super::RunStatus;

/// Why a command has no effect. Workers drop a delivery on every refusal but `Invalid`, which is a defect of a block kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run's status does not allow it (409). A block that is refused its start by a paused run is queued again by resume.
    #[error("{command} is not possible: the run is {}", status.as_str())]
    Illegal { status: RunStatus, command: &'static str },
    /// The run was deleted; nothing can be asked of it any more (409).
    #[error("the run was deleted")]
    Deleted,
    /// There is no run yet (404).
    #[error("there is no such run")]
    Missing,
    /// The block is not in a state that the command applies to (409).
    #[error("{command} does not apply to {block}: {why}")]
    Unfit { block: BlockId, command: &'static str, why: &'static str },
    /// More leads than the run may take (422). Never cut.
    #[error("the input has {leads} leads, the run takes at most {max_leads}")]
    TooManyLeads { leads: u64, max_leads: u64 },
    /// The run's budget does not cover what comes next (409): it can be resumed with one that is greater by so much.
    #[error("the budget is short of {missing_micros} micro-dollars")]
    OverBudget { missing_micros: u64 },
    /// The delivery or attempt was overtaken by a newer one.
    #[error("overtaken by a newer delivery or attempt of the block")]
    Stale,
    /// The command contradicts itself or the run (422).
    #[error("{0}")]
    Invalid(String),
}

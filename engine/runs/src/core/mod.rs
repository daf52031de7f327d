//! The coordination of a run as plain functions over plain data: no clock, no randomness, no IO.
//!
//! `decide` returns the events that follow from a command, `evolve` folds an event into the state. There is no scheduler:
//! the blocks that a completion releases are decided and appended together with it. Absent on purpose: configuration,
//! leads, anything that waits.

mod auto_retry;
mod budget;
mod command;
mod corrupt;
mod decide;
mod deliver;
mod evolve;
mod finish;
mod fold_block;
mod lifecycle;
mod refusal;
mod release;
mod repair;
mod report;
mod retryable_blocks;
mod shared;
mod state;
mod status;
mod totals;
mod waiting_for;

#[cfg(test)]
mod tests;

pub use crate::core::auto_retry::AUTOMATIC_RETRIES;
pub use crate::core::command::{Completion, Context, RunCommand};
pub use crate::core::corrupt::{CorruptStream, StreamFault};
pub use crate::core::decide::{DecideError, decide};
pub use crate::core::evolve::evolve;
pub use crate::core::refusal::Refusal;
pub use crate::core::state::{Block, BlockState, FailedBlock, Ready, Run, SourceState, StageState};
pub use crate::core::status::RunStatus;
pub use crate::core::waiting_for::WaitingFor;

//! The whole coordination of a run as plain functions over plain data: no clock, no randomness, no IO.
//!
//! `decide` says which facts follow from a command, `evolve` folds a fact into the state. There is no scheduler: what a
//! completion releases is decided, and appended, together with the completion. Absent on purpose: configuration, leads,
//! anything that waits.

mod backoff;
mod budget;
mod command;
mod decide;
mod deliver;
mod evolve;
mod finish;
mod lifecycle;
mod refusal;
mod release;
mod repair;
mod report;
mod shelf;
mod state;
mod status;
mod totals;
mod waiting;

#[cfg(test)]
mod tests;

pub use backoff::AUTOMATIC_RETRIES;
pub use command::{Completion, Context, RunCommand};
pub use decide::decide;
pub use evolve::evolve;
pub use refusal::Refusal;
pub use state::{Block, BlockState, BrokenBlock, Ready, Run, Source, StageState};
pub use status::RunStatus;
pub use waiting::Waiting;

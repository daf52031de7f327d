//! Routes of the blocks of a run.

pub mod list;
pub mod retry;
pub mod skip;

//! Routes of the failed leads of a run.

pub mod export;
pub mod list;

//! Routes of the events of a run.

pub mod get;
pub mod list;

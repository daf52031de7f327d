//! Routes of the artifacts of a run.

pub mod get;
pub mod list;
pub mod removed;

//! Routes of scoring profiles, the versioned tables of scoring factors.

pub mod activate;
pub mod list;
pub mod publish;

//! Routes of saved views: what a person looks at often.

pub mod list;
pub mod remove;
pub mod save;

//! Routes of blueprints.

pub mod activate;
pub mod archive;
pub mod get;
pub mod list;
pub mod publish;

//! Routes of message templates.

pub mod get;
pub mod list;
pub mod publish;

//! Routes of deliveries that were signed and could not be understood. They are kept until a person resolves them.

pub mod get;
pub mod list;
pub mod resolve;

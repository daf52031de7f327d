//! Routes of the providers that the tenant can use.

pub mod list;
pub mod remove;
pub mod set;
pub mod set_limits;

//! Routes of the API keys of the tenant.

pub mod create;
pub mod list;
pub mod revoke;

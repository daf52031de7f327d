//! Routes of webhook tokens, which name tenant and purpose of a webhook URL.

pub mod create;
pub mod list;
pub mod revoke;

//! Routes of the send settings and sender numbers of the tenant.

pub mod add_number;
pub mod countries;
pub mod get;
pub mod remove_number;
pub mod update;

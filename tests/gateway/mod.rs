//! The gateway as its callers see it, on a whole system.

mod commands;
mod failed;
mod fairness;
pub mod ground;
mod imports;
mod keys;
mod page;
mod providers;
mod reads;
mod start;
mod streams;
mod tenancy;
mod transport;

//! One process: the roles it runs, what they share, the keys it derives, and its log lines and metrics.

mod broker_client;
mod forward;
pub mod from_config;
pub mod keys;
mod metric_help;
mod roles;
mod stored_data;
mod system;
pub mod telemetry;

pub use roles::{DegradedRoles, ProcessRole, Roles};
pub use system::{Setup, System, SystemError};

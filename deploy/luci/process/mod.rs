//! One process: the roles it runs, what they share, the keys it derives, and its log lines, metrics and traces.

mod broker_client;
mod forward;
pub mod from_config;
pub mod keys;
mod metric_help;
mod monitored;
mod roles;
mod stored_data;
mod system;
mod system_error;
pub mod telemetry;
mod traces;

pub use roles::{DegradedRoles, ProcessRole, Roles};
pub use system::{Setup, System};
pub use system_error::SystemError;
pub use traces::Traces;

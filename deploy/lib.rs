//! The program `luci`: the only reader of the environment; starts the roles, and the servers they need.

pub mod config;
pub mod instance;
pub mod local;
pub mod telemetry;

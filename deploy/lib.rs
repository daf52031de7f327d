//! The program `luci`: the only reader of the environment; starts the roles, and the servers they need.

pub mod cli;
pub mod client;
pub mod config;
pub mod home;
pub mod instance;
pub mod local;
pub mod roles;
pub mod sample;
pub mod sandbox;
pub mod servers;
pub mod system;
pub mod telemetry;
pub mod watch;

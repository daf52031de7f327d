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

/// Half of what the process does for events and leads is small texts: jemalloc hands them out in two thirds of the time that
/// glibc takes. How soon it gives memory back to the system is said in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

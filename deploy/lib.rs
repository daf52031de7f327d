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

/// A quarter of the process's time in an import was glibc's allocator; with this one it is a tenth of that, and the relay
/// publishes a sixth more. How memory goes back to the system is said in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

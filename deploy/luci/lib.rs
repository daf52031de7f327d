//! The program `luci`: the command line, the configuration, the roles of a process, private servers on one machine, and the users
//! of NATS.
//!
//! Each module imports only from those after it: `cli`, `local`, `process`, `config`, `broker`.

pub mod broker;
pub mod cli;
pub mod config;
pub mod local;
pub mod process;

/// In an import, glibc's allocator took a quarter of the process's time; jemalloc takes a tenth of that, and the relay
/// publishes a sixth more events. `.cargo/config.toml` sets when freed memory goes back to the operating system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

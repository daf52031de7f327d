//! LUCI on one machine: a data folder with a private Postgres and a private nats-server.
//!
//! The servers survive a kill -9 of this process, and the next one takes them over; a clean exit stops them.

mod binaries;
mod folder;
mod instance;
mod instance_file;
mod memory;
mod nats;
mod postgres;
mod server_process;
mod servers;

use std::{io, path::PathBuf};

pub use binaries::{MIN_NATS, MIN_POSTGRES};
pub use folder::{Folder, write_private};
pub use instance::LocalInstance;
pub use instance_file::{Credentials, InstanceFile, PrivateServers, existing_master_key};
pub use nats::Nats;
pub use postgres::{Durability, Postgres};
pub use server_process::{Account, Lifetime, random_hex};
pub use servers::Servers;

pub use crate::config::Search;

/// Why a private server did not start, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{} is in use by process {holder}; stop it, or choose another --data-dir", .folder.display())]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "no PostgreSQL {} found (versions found: {found:?}); `make setup` installs one, or set LUCI_PG_BIN or LUCI_DATABASE_URL",
        .required.map_or(format!("{MIN_POSTGRES} or later"), |major| format!("{major}, which created this data folder,"))
    )]
    NoPostgres { required: Option<u32>, found: Vec<u32> },
    #[error(
        "no nats-server found; `make setup` installs a pinned one in ./.tools, or set LUCI_NATS_SERVER or LUCI_NATS_URL"
    )]
    NoNats,
    #[error(
        "{} is version {version}, 2.10 or later is needed; `make setup` installs a pinned one in ./.tools, or set LUCI_NATS_SERVER",
        .program.display()
    )]
    OldNats { program: PathBuf, version: String },
    #[error("{program} did not start:\n{output}")]
    Start { program: &'static str, output: String },
    #[error("cannot run {program}")]
    Spawn { program: &'static str, source: io::Error },
    #[error("cannot use {}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

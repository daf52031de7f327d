//! Everything on one machine: a private Postgres and a private nats-server in the data folder.
//!
//! They outlive a kill -9 of this process and are found again by the next one; a clean exit stops them.

mod binaries;
mod folder;
mod memory;
mod nats;
mod postgres;
mod process;

use std::{io, path::PathBuf};

pub use binaries::{NATS_AT_LEAST, POSTGRES_AT_LEAST, Search};
pub use folder::{Folder, write_private};
pub use nats::Nats;
pub use postgres::{Durability, Postgres};
pub use process::{Account, Lifetime, random_hex};

/// Why a local server could not be started, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{} is in use by process {holder}; stop that one, or name another --data-dir", .folder.display())]
    Held { folder: PathBuf, holder: String },
    #[error(
        "no PostgreSQL {} found (seen: {found:?}); `make setup` installs one, or set LUCI_PG_BIN or LUCI_DATABASE_URL",
        .wanted.map_or(format!("{POSTGRES_AT_LEAST} or later"), |major| format!("{major}, which made this data folder,"))
    )]
    NoPostgres { wanted: Option<u32>, found: Vec<u32> },
    #[error(
        "no nats-server found; `make setup` installs a pinned one in ./.tools, or set LUCI_NATS_SERVER or LUCI_NATS_URL"
    )]
    NoNats,
    #[error(
        "{} is version {version}, 2.10 or later is needed; `make setup` installs a pinned one in ./.tools, or set LUCI_NATS_SERVER",
        .program.display()
    )]
    OldNats { program: PathBuf, version: String },
    #[error("{program} did not start:\n{said}")]
    Start { program: &'static str, said: String },
    #[error("{program} could not be run")]
    Spawn { program: &'static str, source: io::Error },
    #[error("{} cannot be used", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

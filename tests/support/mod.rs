//! Shared test support: a database, a broker, a whole system, the real binary.
//!
//! ```ignore
//! let database = support::database().await; // fresh and migrated; luci_schema::migrate::connect(database.url(), …)
//! let nats = support::nats().await;         // private; .url(), .client(), .stop(), .wipe(), .restart()
//! let system = support::system_with(SystemOptions::default()).await; // every role in this process; system.api.post("/api/pipelines", …)
//! let luci = support::luci(Servers::on(&database, &nats)).await; // the real binary; .kill(), .stop(), .start()
//! ```

mod api;
mod binary;
mod browser;
mod bucket;
mod database;
mod document;
mod nats;
mod selftest;
mod servers;
mod system;
mod wait;

pub use api::Api;
pub use binary::{Luci, Servers, command, luci, luci_in, luci_with, output, process, processes_in, signal};
pub use browser::{Browser, Look, browser};
pub use bucket::Bucket;
pub use database::{Database, database, empty_database};
pub use document::check_status;
pub use nats::{Nats, nats};
pub use servers::{on_server_thread, search, temp_dir};
pub use system::{MASTER_KEY, System, SystemOptions, probes, seal_key, system_with, vault};
pub use wait::{DEADLINE, eventually, found};

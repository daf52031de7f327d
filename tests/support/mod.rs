//! What every test may ask for: a database, a broker, a whole system, the real binary.
//!
//! ```ignore
//! let database = support::database().await; // fresh and migrated; luci_schema::migrate::connect(database.url(), …)
//! let nats = support::nats().await;         // private; .url(), .client(), .stop(), .wipe(), .restart()
//! ```

mod database;
mod nats;
mod selftest;
mod servers;

pub use database::{Database, database, empty_database};
pub use nats::{Nats, nats};
pub use servers::{postgres_url, room};

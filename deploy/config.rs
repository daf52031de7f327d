//! The only reader of the environment.

use crate::local::Search;

/// Where the programs of Postgres and NATS are looked for.
#[allow(clippy::disallowed_methods)]
pub fn search() -> Search {
    Search {
        postgres: std::env::var_os("LUCI_PG_BIN").map(Into::into),
        nats: std::env::var_os("LUCI_NATS_SERVER").map(Into::into),
        path: std::env::var_os("PATH"),
    }
}

//! Settings that say where the programs of Postgres and NATS are.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::environment;

/// Where to look for the programs of private servers.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// `LUCI_PG_BIN`: the folder with `postgres` and `initdb`.
    pub postgres: Option<PathBuf>,
    /// `LUCI_NATS_SERVER`: the program itself.
    pub nats: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
}

/// The variables of [`Search`].
const SEARCH: [&str; 3] = ["LUCI_PG_BIN", "LUCI_NATS_SERVER", "PATH"];

/// The variables that are set and not empty, for a process with an otherwise empty environment.
pub fn search_variables() -> BTreeMap<String, String> {
    environment().into_iter().filter(|(name, value)| SEARCH.contains(&name.as_str()) && !value.is_empty()).collect()
}

/// Reads [`Search`] alone; errors in other settings do not matter.
pub fn search() -> Search {
    let mut variables = search_variables();
    let [postgres, nats, path] = SEARCH.map(|name| variables.remove(name));
    Search { postgres: postgres.map(PathBuf::from), nats: nats.map(PathBuf::from), path: path.map(Into::into) }
}

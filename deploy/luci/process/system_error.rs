//! Why a process cannot start.

use luci_config::installation_key::InstallationKeyError;
use luci_runs::{broker::BrokerError, store_claim::StoreClaimError};

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    #[error("cannot connect to the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("cannot open the log: {0}")]
    Log(#[from] luci_schema::log::LogError),
    #[error("cannot set up the providers: {0}")]
    Providers(String),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    MasterKey(#[from] InstallationKeyError),
    #[error(transparent)]
    Store(#[from] StoreClaimError),
}

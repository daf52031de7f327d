//! The roles' connections to the broker.

use std::time::Duration;

use luci_runs::broker::{self, BrokerError};
use secrecy::{ExposeSecret, SecretString};

const BROKER_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) async fn connected(url: &SecretString, name: &str) -> Result<async_nats::Client, BrokerError> {
    broker::connect_soon(url.expose_secret(), name, BROKER_TIMEOUT).await
}

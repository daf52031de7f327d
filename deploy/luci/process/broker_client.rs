//! The roles' connections to the broker.

use std::time::{Duration, Instant};

use async_nats::connection::State;
use luci_runs::broker::{self, BrokerError};
use secrecy::{ExposeSecret, SecretString};

const BROKER_TIMEOUT: Duration = Duration::from_millis(500);

/// A client of the broker. It connects in the background; this waits only a moment for it, so that roles do not start with
/// an error, since everything but publishing works without a broker.
pub(super) async fn connected(url: &SecretString, name: &str) -> Result<async_nats::Client, BrokerError> {
    let client = broker::connect(url.expose_secret(), name).await?;
    let deadline = Instant::now() + BROKER_TIMEOUT;
    while client.connection_state() != State::Connected && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(client)
}

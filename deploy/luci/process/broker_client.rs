//! The roles' connections to the broker.

use std::time::Duration;

use async_nats::Client;
use luci_gateway::nats_access::NatsAccess;
use luci_runs::broker::{self, BrokerError};
use secrecy::ExposeSecret;

use crate::broker::{ACCOUNT, BrokerAccess, BrokerUser};

const BROKER_TIMEOUT: Duration = Duration::from_millis(500);

/// The connection of a role, as its user.
pub(super) async fn connected(access: &BrokerAccess, user: BrokerUser) -> Result<Client, BrokerError> {
    let name = user.name().replace('_', " ");
    broker::connect_soon(access.url(user).expose_secret(), &name, BROKER_TIMEOUT).await
}

/// What the gateway needs to let clients of tenants in; `None` when NATS does not ask about them.
pub(super) async fn client_access(access: &BrokerAccess) -> Result<Option<NatsAccess>, BrokerError> {
    let Some(clients) = access.clients.clone() else { return Ok(None) };
    Ok(Some(NatsAccess {
        callout: connected(access, BrokerUser::Callout).await?,
        account: ACCOUNT.to_owned(),
        url: clients.url,
        web_socket_url: clients.web_socket_url,
    }))
}

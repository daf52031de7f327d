//! How a process reaches nats-server: one URL for all its roles, or one for each.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::BrokerUser;

/// URLs with credentials.
#[derive(Debug, Clone)]
pub struct BrokerAccess {
    /// For every user without a URL of its own.
    shared: SecretString,
    users: BTreeMap<BrokerUser, SecretString>,
    /// How clients of tenants reach it; `None`: the server does not ask about them, and they get no credentials.
    pub clients: Option<ClientAccess>,
}

/// URLs without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAccess {
    pub url: String,
    pub web_socket_url: Option<String>,
}

impl BrokerAccess {
    /// One user for everything, as on a server that others use too.
    pub fn shared(url: SecretString) -> Self {
        Self { shared: url, users: BTreeMap::new(), clients: None }
    }

    /// With URLs for some users. Clients of tenants get access when one is the callout's.
    pub fn with_users(self, users: BTreeMap<BrokerUser, SecretString>, clients: ClientAccess) -> Self {
        let clients = users.contains_key(&BrokerUser::Callout).then_some(clients);
        Self { users, clients, ..self }
    }

    pub fn url(&self, user: BrokerUser) -> &SecretString {
        self.users.get(&user).unwrap_or(&self.shared)
    }
}

//! Access of tenants to NATS: credentials that the gateway signs, and nats-server asks about at each connection (auth callout).
//!
//! Nothing is stored. A credential names key or session, and is valid while they are; `callout` checks that when a client
//! connects, `watch` every few seconds while it stays connected.

mod callout;
mod credential;
mod jwt;
mod watch;

use std::sync::Arc;

use async_nats::Client;
use luci_config::vault::Vault;
use nkeys::{KeyPair, KeyPairType};
use secrecy::{ExposeSecret, SecretBox};
use tokio_util::sync::CancellationToken;

pub use credential::{InvalidCredential, NatsCredential};
pub use jwt::{JwtError, encode as sign_jwt};

use crate::App;

/// How clients reach NATS, and the connection over which the gateway answers the callout.
#[derive(Clone)]
pub struct NatsAccess {
    /// The user that answers the callout, in the system account.
    pub callout: Client,
    /// The account that events are published in, and clients are placed in.
    pub account: String,
    /// `nats://host:port`, without a credential.
    pub url: String,
    /// `ws://host:port` or `wss://host:port`.
    pub web_socket_url: Option<String>,
}

/// The keys of all gateways of an installation, derived from its master key.
pub struct NatsKeys {
    /// Signs what the callout answers; nats-server has its public key.
    issuer: KeyPair,
    credentials: SecretBox<[u8; 32]>,
}

impl NatsKeys {
    /// # Errors
    /// As `nkeys`; never for keys of this size.
    pub fn new(vault: &Vault) -> Result<Self, nkeys::error::Error> {
        let issuer = KeyPair::new_from_raw(KeyPairType::Account, *vault.broker_key("issuer").expose_secret())?;
        Ok(Self { issuer, credentials: vault.broker_key("credentials") })
    }

    /// What nats-server accepts answers of: `A…`.
    pub fn issuer(&self) -> String {
        self.issuer.public_key()
    }

    /// The text of a credential.
    ///
    /// # Errors
    /// Never: the content is plain JSON.
    pub fn sign(&self, credential: &NatsCredential) -> Result<String, serde_json::Error> {
        credential.sign(self.credentials())
    }

    fn credentials(&self) -> &[u8] {
        self.credentials.expose_secret()
    }
}

impl std::fmt::Debug for NatsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NatsKeys")
    }
}

/// Answers the callout and watches connections until `stop`.
pub async fn run(app: Arc<App>, access: NatsAccess, stop: CancellationToken) {
    let both = async { tokio::join!(callout::run(&app, &access), watch::run(&app, &access)) };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = both => {}
    }
}

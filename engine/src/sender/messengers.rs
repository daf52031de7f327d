//! Who carries a tenant's messages and calls: SignalHouse or Twilio, by the tenant's own credentials or the installation's.

use std::{sync::Arc, time::Duration};

use luci_schema::TenantId;
use reqwest::Client;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use crate::{
    admin::{
        credentials::{self, Credential},
        vault::{Vault, VaultError},
    },
    book::sends::Claimed,
    provider::ProviderName,
    providers::{Accepted, Dialled, Outgoing, SendError, SignalHouse, SignalHouseAccess, Twilio, TwilioAccess, client},
};

pub const SIGNALHOUSE_URL: &str = "https://api.signalhouse.io/api/v1";
pub const TWILIO_URL: &str = "https://api.twilio.com";

/// Where the sender's providers are reached.
#[derive(Debug, Clone, Default)]
pub struct SendersConfig {
    pub signalhouse: Option<SignalHouseAccess>,
    pub twilio: Option<TwilioAccess>,
    /// The gateway's address as the providers see it, for reports of what became of a message.
    pub public_url: Option<String>,
}

/// What a tenant may send by.
pub(super) struct Access {
    signalhouse: Option<SignalHouseAccess>,
    twilio: Option<TwilioAccess>,
}

impl SendersConfig {
    /// By the tenant's own credentials, else by the installation's.
    pub(super) async fn access(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
        vault: &Vault,
    ) -> Result<Access, VaultError> {
        let own = credentials::of(c, tenant, vault, ProviderName::SignalHouse).await?;
        let signalhouse = match own {
            Some(Credential { key: token, account: Some(key) }) => {
                let shared = self.signalhouse.as_ref();
                let base_url = shared.map_or_else(|| SIGNALHOUSE_URL.to_owned(), |shared| shared.base_url.clone());
                Some(SignalHouseAccess { base_url, key, token })
            }
            _ => self.signalhouse.clone(),
        };
        let own = credentials::of(c, tenant, vault, ProviderName::Twilio).await?;
        let twilio = match own {
            Some(Credential { key: auth_token, account: Some(sid) }) => {
                let shared = self.twilio.as_ref();
                let base_url = shared.map_or_else(|| TWILIO_URL.to_owned(), |shared| shared.base_url.clone());
                Some(TwilioAccess { base_url, account_sid: sid.expose_secret().to_owned(), auth_token })
            }
            _ => self.twilio.clone(),
        };
        Ok(Access { signalhouse, twilio })
    }
}

impl Access {
    /// Who carries text messages, the preferred one first.
    pub(super) fn of_messages(&self) -> impl Iterator<Item = &'static str> {
        preferred(self.signalhouse.is_some(), self.twilio.is_some())
    }
}

/// Makes the messengers of each tenant.
pub struct Messengers {
    client: Client,
    config: SendersConfig,
    vault: Arc<Vault>,
}

/// Those of one tenant: by its own credentials, else by the installation's.
pub(super) struct Carriers {
    pub signalhouse: Option<SignalHouse>,
    pub twilio: Option<Twilio>,
}

impl Messengers {
    /// The process must have a default rustls provider.
    pub fn new(config: SendersConfig, vault: Arc<Vault>, timeout: Duration) -> Result<Arc<Self>, String> {
        let client = client(timeout).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { client, config, vault }))
    }

    pub(super) async fn of(&self, c: &mut PgConnection, tenant: TenantId) -> Result<Carriers, VaultError> {
        let Access { signalhouse, twilio } = self.config.access(c, tenant, &self.vault).await?;
        Ok(Carriers {
            signalhouse: signalhouse.map(|access| SignalHouse::new(self.client.clone(), access)),
            twilio: twilio.map(|access| Twilio::new(self.client.clone(), access)),
        })
    }

    /// Where a provider reports to: the address that finds the tenant by the sending number.
    pub(super) fn report_to(&self, provider: &str) -> Option<String> {
        self.config.public_url.as_ref().map(|url| format!("{url}/api/webhooks/{provider}"))
    }
}

fn preferred(signalhouse: bool, twilio: bool) -> impl Iterator<Item = &'static str> {
    let both = [("signalhouse", signalhouse), ("twilio", twilio)];
    both.into_iter().filter(|(_, there)| *there).map(|(name, _)| name)
}

impl Carriers {
    /// The preferred one first.
    pub(super) fn of_messages(&self) -> impl Iterator<Item = &'static str> {
        preferred(self.signalhouse.is_some(), self.twilio.is_some())
    }

    /// Who places calls.
    pub(super) fn of_calls(&self) -> impl Iterator<Item = &'static str> {
        preferred(false, self.twilio.is_some())
    }

    /// Hands it over; `None` where its carrier is gone, or nobody says what to say in a call.
    pub(super) async fn send(
        &self,
        claimed: &Claimed,
        voice_url: Option<&str>,
        report_to: Option<&str>,
    ) -> Option<Result<Accepted, SendError>> {
        let message = outgoing(claimed, report_to);
        Some(match (claimed.provider.as_str(), message) {
            ("signalhouse", Some(message)) => self.signalhouse.as_ref()?.send(message).await,
            ("twilio", Some(message)) => self.twilio.as_ref()?.send(message).await,
            ("twilio", None) => {
                let (from, to, voice_url) = (claimed.from.as_str(), claimed.to.as_str(), voice_url?);
                self.twilio.as_ref()?.call(Dialled { from, to, voice_url, report_to }).await
            }
            _ => return None,
        })
    }

    /// Whether the carrier took it, as far as it knows.
    pub(super) async fn find(&self, claimed: &Claimed) -> Result<Option<Accepted>, SendError> {
        let since = claimed.queued_at;
        match (claimed.provider.as_str(), outgoing(claimed, None), &self.signalhouse, &self.twilio) {
            ("signalhouse", Some(message), Some(signalhouse), _) => signalhouse.find(message, since).await,
            ("twilio", Some(message), _, Some(twilio)) => twilio.find(message, since).await,
            ("twilio", None, _, Some(twilio)) => twilio.find_call(&claimed.from, &claimed.to, since).await,
            _ => Ok(None),
        }
    }
}

/// The message of a send; a call has none.
fn outgoing<'a>(claimed: &'a Claimed, report_to: Option<&'a str>) -> Option<Outgoing<'a>> {
    let text = claimed.text.as_ref()?;
    let (body, media_url) = (text.body.as_str(), text.media_url.as_deref());
    Some(Outgoing { from: &claimed.from, to: &claimed.to, body, media_url, report_to })
}

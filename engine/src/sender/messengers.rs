//! Who carries a tenant's messages and calls: SignalHouse or Twilio, by the tenant's own credentials or the installation's.

use std::{sync::Arc, time::Duration};

use luci_schema::{Micros, TenantId};
use reqwest::Client;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use crate::{
    admin::{
        credentials::{self, Credential},
        vault::{Vault, VaultError},
    },
    book::{dialer_queue, sms_queue::sending::Claimed},
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

/// One provider that carries text messages.
pub(super) enum Messenger<'a> {
    SignalHouse(&'a SignalHouse),
    Twilio(&'a Twilio),
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

    pub(super) fn named(&self, provider: &str) -> Option<Messenger<'_>> {
        match provider {
            "signalhouse" => self.signalhouse.as_ref().map(Messenger::SignalHouse),
            "twilio" => self.twilio.as_ref().map(Messenger::Twilio),
            _ => None,
        }
    }
}

impl Messenger<'_> {
    pub(super) async fn send(&self, claimed: &Claimed, report_to: Option<&str>) -> Result<Accepted, SendError> {
        let message = outgoing(claimed, report_to);
        match self {
            Self::SignalHouse(signalhouse) => signalhouse.send(message).await,
            Self::Twilio(twilio) => twilio.send(message).await,
        }
    }

    pub(super) async fn find(&self, claimed: &Claimed) -> Result<Option<Accepted>, SendError> {
        let (message, since) = (outgoing(claimed, None), claimed.queued_at);
        match self {
            Self::SignalHouse(signalhouse) => signalhouse.find(message, since).await,
            Self::Twilio(twilio) => twilio.find(message, since).await,
        }
    }
}

fn outgoing<'a>(claimed: &'a Claimed, report_to: Option<&'a str>) -> Outgoing<'a> {
    let media_url = claimed.media_url.as_deref();
    Outgoing { from: &claimed.from, to: &claimed.to, body: &claimed.body, media_url, report_to }
}

/// Dials, and asks whether something was dialled.
pub(super) async fn dial(
    twilio: &Twilio,
    claimed: &dialer_queue::sending::Claimed,
    voice_url: &str,
    report_to: Option<&str>,
) -> Result<Accepted, SendError> {
    twilio.call(Dialled { from: &claimed.from, to: &claimed.to, voice_url, report_to }).await
}

pub(super) async fn dialled(
    twilio: &Twilio,
    claimed: &dialer_queue::sending::Claimed,
) -> Result<Option<Accepted>, SendError> {
    let since: Micros = claimed.queued_at;
    twilio.find_call(&claimed.from, &claimed.to, since).await
}

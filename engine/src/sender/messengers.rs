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
        let signalhouse = self.signalhouse(c, tenant).await?;
        let twilio = self.twilio(c, tenant).await?;
        Ok(Carriers {
            signalhouse: signalhouse.map(|access| SignalHouse::new(self.client.clone(), access)),
            twilio: twilio.map(|access| Twilio::new(self.client.clone(), access)),
        })
    }

    async fn signalhouse(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
    ) -> Result<Option<SignalHouseAccess>, VaultError> {
        let shared = &self.config.signalhouse;
        let own = credentials::of(c, tenant, &self.vault, ProviderName::SignalHouse).await?;
        let Some(Credential { key: token, account: Some(key) }) = own else { return Ok(shared.clone()) };
        let base_url = shared.as_ref().map_or_else(|| SIGNALHOUSE_URL.to_owned(), |shared| shared.base_url.clone());
        Ok(Some(SignalHouseAccess { base_url, key, token }))
    }

    /// The tenant's account at Twilio; what it signs its webhooks with is the same token.
    pub async fn twilio(&self, c: &mut PgConnection, tenant: TenantId) -> Result<Option<TwilioAccess>, VaultError> {
        let shared = &self.config.twilio;
        let own = credentials::of(c, tenant, &self.vault, ProviderName::Twilio).await?;
        let Some(Credential { key: auth_token, account: Some(sid) }) = own else { return Ok(shared.clone()) };
        let base_url = shared.as_ref().map_or_else(|| TWILIO_URL.to_owned(), |shared| shared.base_url.clone());
        Ok(Some(TwilioAccess { base_url, account_sid: sid.expose_secret().to_owned(), auth_token }))
    }

    /// Where a provider reports to: the address that finds the tenant by the sending number.
    pub(super) fn report_to(&self, provider: &str) -> Option<String> {
        self.config.public_url.as_ref().map(|url| format!("{url}/api/webhooks/{provider}"))
    }
}

impl Carriers {
    /// The preferred one first.
    pub(super) fn of_messages(&self) -> impl Iterator<Item = &'static str> {
        let signalhouse = self.signalhouse.as_ref().map(|_| "signalhouse");
        signalhouse.into_iter().chain(self.twilio.as_ref().map(|_| "twilio"))
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

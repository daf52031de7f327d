//! A tenant's accounts at SignalHouse and Twilio: its own credentials, or the installation's.

mod ownership;
pub mod signalhouse;
pub mod twilio;

use std::{sync::Arc, time::Duration};

use luci_config::vault::{Vault, VaultError};
use luci_providers::{
    Accepted, ProviderName, SendError, client,
    credentials::{self, Credential},
};
use luci_schema::TenantId;
use reqwest::Client;
use secrecy::ExposeSecret;
use sqlx::PgConnection;

pub use ownership::{NumberOwner, Ownership};

use crate::{
    carriers::{
        signalhouse::{OutgoingMessage, SignalHouse, SignalHouseAccess},
        twilio::{OutgoingCall, Twilio, TwilioAccess},
    },
    rules::carrier::Carrier,
    store::claimed_send::{ClaimedSend, SendContent},
};

/// The installation's own accounts at the carriers.
#[derive(Debug, Clone, Default)]
pub struct SendersConfig {
    pub signalhouse: Option<SignalHouseAccess>,
    pub twilio: Option<TwilioAccess>,
    /// The gateway's address as the carriers see it, for delivery reports. Without a slash at the end.
    pub public_url: Option<String>,
}

/// A tenant's access to each carrier.
pub(crate) struct CarrierAccess {
    signalhouse: Option<SignalHouseAccess>,
    twilio: Option<TwilioAccess>,
}

impl SendersConfig {
    /// The tenant's own credentials come before the installation's.
    pub(crate) async fn access(
        &self,
        c: &mut PgConnection,
        tenant: TenantId,
        vault: &Vault,
    ) -> Result<CarrierAccess, VaultError> {
        let own = credentials::of(c, tenant, vault, ProviderName::SIGNALHOUSE).await?;
        let signalhouse = match own {
            Some(Credential { key: token, account: Some(key) }) => {
                let shared = self.signalhouse.as_ref();
                let base_url =
                    shared.map_or_else(|| send_url(ProviderName::SIGNALHOUSE), |shared| shared.base_url.clone());
                Some(SignalHouseAccess { base_url, key, token })
            }
            _ => self.signalhouse.clone(),
        };
        let own = credentials::of(c, tenant, vault, ProviderName::TWILIO).await?;
        let twilio = match own {
            Some(Credential { key: auth_token, account: Some(sid) }) => {
                let shared = self.twilio.as_ref();
                let base_url = shared.map_or_else(|| send_url(ProviderName::TWILIO), |shared| shared.base_url.clone());
                Some(TwilioAccess { base_url, account_sid: sid.expose_secret().to_owned(), auth_token })
            }
            _ => self.twilio.clone(),
        };
        Ok(CarrierAccess { signalhouse, twilio })
    }
}

impl CarrierAccess {
    /// Carriers of text messages, preferred first.
    pub(crate) fn for_messages(&self) -> Vec<Carrier> {
        available(self.signalhouse.is_some(), self.twilio.is_some())
    }
}

/// Carriers in order of preference.
fn available(signalhouse: bool, twilio: bool) -> Vec<Carrier> {
    let has = |carrier: &Carrier| match carrier {
        Carrier::SignalHouse => signalhouse,
        Carrier::Twilio => twilio,
    };
    Carrier::ALL.into_iter().filter(has).collect()
}

/// Makes the clients of each tenant's carriers.
pub struct CarrierAccounts {
    client: Client,
    config: SendersConfig,
    vault: Arc<Vault>,
}

/// The clients of one tenant's carriers.
pub(crate) struct TenantCarriers {
    pub(crate) vault: Arc<Vault>,
    signalhouse: Option<SignalHouse>,
    twilio: Option<Twilio>,
}

/// The addresses that a carrier calls back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Callbacks<'a> {
    /// The TwiML of a call.
    pub voice_url: Option<&'a str>,
    /// For delivery reports.
    pub report_url: Option<&'a str>,
}

impl CarrierAccounts {
    /// The secrets of the installation.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The process must have a default rustls provider.
    pub fn new(config: SendersConfig, vault: Arc<Vault>, timeout: Duration) -> Result<Arc<Self>, String> {
        let client = client(timeout).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { client, config, vault }))
    }

    pub(crate) async fn of(&self, c: &mut PgConnection, tenant: TenantId) -> Result<TenantCarriers, VaultError> {
        let CarrierAccess { signalhouse, twilio } = self.config.access(c, tenant, &self.vault).await?;
        Ok(TenantCarriers {
            vault: Arc::clone(&self.vault),
            signalhouse: signalhouse.map(|access| SignalHouse::new(self.client.clone(), access)),
            twilio: twilio.map(|access| Twilio::new(self.client.clone(), access)),
        })
    }

    /// The carrier's webhook address without a token; the gateway finds the tenant by the sending number.
    pub(crate) fn report_url(&self, carrier: Carrier) -> Option<String> {
        self.config.public_url.as_ref().map(|url| format!("{url}/api/webhooks/{carrier}"))
    }
}

impl TenantCarriers {
    /// Carriers of text messages, preferred first.
    pub(crate) fn for_messages(&self) -> Vec<Carrier> {
        available(self.signalhouse.is_some(), self.twilio.is_some())
    }

    /// Carriers of calls.
    pub(crate) fn for_calls(&self) -> Vec<Carrier> {
        available(false, self.twilio.is_some())
    }

    /// Calls the carrier. `None`: no carrier was called, because the tenant has no account there, the call has no TwiML
    /// address, or the carrier places no calls.
    pub(crate) async fn send(
        &self,
        claimed: &ClaimedSend,
        callbacks: Callbacks<'_>,
    ) -> Option<Result<Accepted, SendError>> {
        let Callbacks { voice_url, report_url } = callbacks;
        Some(match (claimed.carrier, &claimed.content) {
            (Carrier::SignalHouse, SendContent::Message { .. }) => {
                self.signalhouse.as_ref()?.send(outgoing(claimed, report_url)?).await
            }
            (Carrier::Twilio, SendContent::Message { .. }) => {
                self.twilio.as_ref()?.send(outgoing(claimed, report_url)?).await
            }
            (Carrier::Twilio, SendContent::Call { extension }) => {
                let (from, to, extension) = (claimed.from.as_str(), claimed.to.as_str(), extension.as_deref());
                let call = OutgoingCall { from, to, extension, voice_url: voice_url?, report_url };
                self.twilio.as_ref()?.call(call).await
            }
            (Carrier::SignalHouse, SendContent::Call { .. }) => return None,
        })
    }

    /// Looks the send up in the carrier's own list. `None`: the carrier does not list it, or the tenant has no account
    /// there.
    pub(crate) async fn find(&self, claimed: &ClaimedSend) -> Result<Option<Accepted>, SendError> {
        let since = claimed.queued_at;
        match (claimed.carrier, outgoing(claimed, None), &self.signalhouse, &self.twilio) {
            (Carrier::SignalHouse, Some(message), Some(signalhouse), _) => signalhouse.find(message, since).await,
            (Carrier::Twilio, Some(message), _, Some(twilio)) => twilio.find(message, since).await,
            (Carrier::Twilio, None, _, Some(twilio)) => twilio.find_call(&claimed.from, &claimed.to, since).await,
            (Carrier::SignalHouse, _, _, _) | (Carrier::Twilio, _, _, None) => Ok(None),
        }
    }
}

/// The message of a send; none for a call.
fn outgoing<'a>(claimed: &'a ClaimedSend, report_url: Option<&'a str>) -> Option<OutgoingMessage<'a>> {
    match &claimed.content {
        SendContent::Message { body, media_url } => {
            let (from, to, media_url) = (&claimed.from, &claimed.to, media_url.as_deref());
            Some(OutgoingMessage { from, to, body, media_url, report_url })
        }
        SendContent::Call { .. } => None,
    }
}

/// Where a carrier takes messages, unless the installation names another address.
pub fn send_url(provider: ProviderName) -> String {
    provider.capabilities().send.map_or(provider.descriptor().default_url, |api| api.default_url).to_owned()
}

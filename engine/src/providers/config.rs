//! What an installation says of its providers: where they are, what it is known by there, and how much it may ask.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;

use super::ProviderName;
use crate::{admin::credentials::Credential, sender::SendersConfig};

/// People that may be asked for; absent is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of an account, within any 60 seconds.
    pub per_minute: Option<u32>,
    /// Of an account, on a day of UTC.
    pub per_day: Option<u32>,
    /// Of each tenant, within any 60 seconds and on a day of UTC.
    pub tenant_per_minute: Option<u32>,
    pub tenant_per_day: Option<u32>,
}

impl Limits {
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// One provider as the installation knows it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Without a slash at the end.
    pub base_url: String,
    /// Asked with for tenants that have none of their own.
    pub credential: Option<Credential>,
    /// Of that credential, and of each tenant.
    pub limits: Limits,
}

impl Site {
    /// At the vendor's address, with tenants' own credentials only.
    pub fn vendor(provider: ProviderName) -> Self {
        Self { base_url: provider.vendor_url().into(), credential: None, limits: Limits::default() }
    }
}

/// Tries again on 408, 429, 5xx and broken connections, after `base` × 2ⁿ but at most `cap`, or after what the provider
/// asks for when that is at most `longest_wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    pub retries: u32,
    pub base: Duration,
    pub cap: Duration,
    pub longest_wait: Duration,
    /// Between two looks at work that a provider has yet to do, and how long one attempt looks.
    pub poll: Duration,
    pub give_up: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(10),
            longest_wait: Duration::from_secs(30),
            poll: Duration::from_secs(5),
            give_up: Duration::from_secs(300),
        }
    }
}

/// When a provider is left alone: after so many calls in a row without an answer, first for `pause`, then for twice as long
/// each time, at most `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    pub failures: u32,
    pub pause: Duration,
    pub longest: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 12, pause: Duration::from_secs(30), longest: Duration::from_secs(300) }
    }
}

#[derive(Debug, Clone)]
pub struct ProvidersConfig {
    /// Providers that are not named are at their vendor's address, for tenants with credentials of their own.
    pub sites: BTreeMap<ProviderName, Site>,
    /// SignalHouse and Twilio, which the sender sends through.
    pub senders: SendersConfig,
    /// The gateway's address as providers reach it, without a slash at the end: they post answers to addresses below it.
    pub callback_url: Option<String>,
    pub retry: RetryPolicy,
    pub breaker: BreakerPolicy,
    /// Of one call, answer included.
    pub timeout: Duration,
    /// Calls that one block has out at once.
    pub in_flight: usize,
    /// How long a block waits for a limit before it gives its place to others and comes again.
    pub patience: Duration,
    /// How long what is known of a tenant's credential and limits is used without asking again.
    pub fresh: Duration,
}

impl Default for ProvidersConfig {
    fn default() -> Self {
        Self {
            sites: BTreeMap::new(),
            senders: SendersConfig::default(),
            callback_url: None,
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
            timeout: Duration::from_secs(30),
            in_flight: 4,
            patience: Duration::from_secs(20),
            fresh: Duration::from_secs(15),
        }
    }
}

impl ProvidersConfig {
    /// Every provider at one address with one key and no limit: the sandbox.
    pub fn all_at(base_url: &str, key: &str) -> Self {
        let site = |provider: ProviderName| {
            let account = provider.account().map(|_| SecretString::from("sandbox"));
            let credential = Credential { key: key.into(), account };
            Site { base_url: base_url.into(), credential: Some(credential), limits: Limits::default() }
        };
        let retry = RetryPolicy { poll: Duration::from_millis(50), ..RetryPolicy::default() };
        Self { sites: ProviderName::ALL.map(|name| (name, site(name))).into(), retry, ..Self::default() }
    }

    /// Providers that the installation itself has a credential for.
    pub fn configured(&self) -> Vec<ProviderName> {
        self.sites.iter().filter(|(_, site)| site.credential.is_some()).map(|(name, _)| *name).collect()
    }

    pub fn site(&self, provider: ProviderName) -> Site {
        self.sites.get(&provider).cloned().unwrap_or_else(|| Site::vendor(provider))
    }
}

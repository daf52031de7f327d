//! How an installation reaches its providers: addresses, credentials, limits, retries.

use std::{collections::BTreeMap, time::Duration};

use crate::{credentials::Credential, descriptor::Limits, name::ProviderName};

/// One provider as the installation knows it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Without a slash at the end.
    pub base_url: String,
    /// For tenants without a credential of their own.
    pub credential: Option<Credential>,
    /// For calls with that credential.
    pub limits: Limits,
}

impl Site {
    /// At the provider's default address, without a credential of the installation.
    pub fn vendor(provider: ProviderName) -> Self {
        let descriptor = provider.descriptor();
        Self { base_url: descriptor.default_url.into(), credential: None, limits: descriptor.default_limits }
    }
}

/// Retries on 408, 429, 5xx and broken connections, after `base` × 2ⁿ up to `cap`, or after the provider's `Retry-After` when
/// that is at most `max_retry_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    pub retries: u32,
    pub base: Duration,
    pub cap: Duration,
    pub max_retry_after: Duration,
    /// Between two polls of unfinished work, and how long one attempt polls.
    pub poll: Duration,
    pub poll_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(10),
            max_retry_after: Duration::from_secs(30),
            poll: Duration::from_secs(5),
            poll_timeout: Duration::from_secs(300),
        }
    }
}

/// The circuit breaker opens after `failures` consecutive failures, first for `pause`, then for twice as long each time, up to
/// `longest`.
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
    /// A provider that is missing here is at its default address, for tenants with a credential of their own.
    pub sites: BTreeMap<ProviderName, Site>,
    /// The gateway's public address, without a slash at the end: providers post answers below it.
    pub callback_url: Option<String>,
    pub retry: RetryPolicy,
    pub breaker: BreakerPolicy,
    /// Of one call, including its answer.
    pub timeout: Duration,
    /// Concurrent calls of one block.
    pub in_flight: usize,
    /// How long a block waits for quota before it fails retryably and frees its worker permit.
    pub max_quota_wait: Duration,
    /// How long a tenant's credential and limits are cached.
    pub account_ttl: Duration,
}

impl Default for ProvidersConfig {
    fn default() -> Self {
        Self {
            sites: BTreeMap::new(),
            callback_url: None,
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
            timeout: Duration::from_secs(30),
            in_flight: 4,
            max_quota_wait: Duration::from_secs(20),
            account_ttl: Duration::from_secs(15),
        }
    }
}

impl ProvidersConfig {
    /// Providers with a credential of the installation.
    pub fn configured(&self) -> Vec<ProviderName> {
        self.sites.iter().filter(|(_, site)| site.credential.is_some()).map(|(name, _)| *name).collect()
    }

    /// The limits of the installation's credentials.
    pub fn limits(&self) -> BTreeMap<ProviderName, Limits> {
        self.sites.iter().map(|(name, site)| (*name, site.limits)).collect()
    }

    pub fn site(&self, provider: ProviderName) -> Site {
        self.sites.get(&provider).cloned().unwrap_or_else(|| Site::vendor(provider))
    }
}

//! Limits of requests: for each key of callers, and for each address of those who have none or a wrong one.
//!
//! They protect a process, so each process counts for itself. A valid key is never refused because of what others at its
//! address do.

mod client_address;
mod limiter;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use luci_schema::KeyId;

pub use self::{client_address::Proxies, limiter::Rate};
use self::{
    client_address::network,
    limiter::{Exceeded, Limiter, Standing},
};
use crate::{problem::Problem, request::Request};

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The limits; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitOptions {
    /// For each API key, with the sessions that it opened.
    pub key: Option<Rate>,
    /// For each address: requests without a valid key.
    pub address: Option<Rate>,
    /// For each address: deliveries. A carrier sends all of its deliveries from a few.
    pub webhook: Option<Rate>,
}

impl Default for RateLimitOptions {
    fn default() -> Self {
        Self {
            key: Some(Rate::new(2_000, 10_000)),
            address: Some(Rate::new(50, 500)),
            webhook: Some(Rate::new(500, 5_000)),
        }
    }
}

/// What a request without a caller counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressScope {
    Address,
    Webhook,
}

pub struct RateLimits {
    proxies: Proxies,
    key: Option<Limiter<KeyId>>,
    address: Option<Limiter<IpAddr>>,
    webhook: Option<Limiter<IpAddr>>,
}

impl RateLimits {
    pub fn new(options: &RateLimitOptions, proxies: Proxies) -> Self {
        Self {
            proxies,
            key: options.key.map(|rate| Limiter::new("key", rate)),
            address: options.address.map(|rate| Limiter::new("address", rate)),
            webhook: options.webhook.map(|rate| Limiter::new("webhook", rate)),
        }
    }

    /// Counts a request of a caller, or 429.
    pub fn check_key(&self, key: KeyId) -> Result<Option<RateHeaders>, Problem> {
        checked("key", self.key.as_ref(), &key)
    }

    /// Counts a request that needs no key, or whose key is not valid, or 429.
    pub fn check_address(&self, scope: AddressScope, request: &Request) -> Result<Option<RateHeaders>, Problem> {
        let Some(peer) = request.connection.as_ref().map(|connection| connection.peer) else { return Ok(None) };
        let address = network(self.proxies.client(peer, &request.headers));
        match scope {
            AddressScope::Address => checked("address", self.address.as_ref(), &address),
            AddressScope::Webhook => checked("webhook", self.webhook.as_ref(), &address),
        }
    }
}

fn checked<K: std::hash::Hash + Eq + Clone>(
    scope: &'static str,
    limiter: Option<&Limiter<K>>,
    key: &K,
) -> Result<Option<RateHeaders>, Problem> {
    let Some(limiter) = limiter else { return Ok(None) };
    limiter.check(key).map(|standing| Some(RateHeaders(standing))).map_err(|exceeded| {
        metrics::counter!("luci_http_rate_limited_total", "scope" => scope).increment(1);
        refused(scope, &exceeded)
    })
}

fn refused(scope: &'static str, exceeded: &Exceeded) -> Problem {
    let Exceeded { standing, rate, wait } = exceeded;
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let whose = if scope == "key" { "with one API key" } else { "from one address" };
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests")
        .detail(format!(
            "At most {} requests a second and {} at once are answered {whose}.",
            rate.per_second, rate.burst
        ))
        .with("scope", scope)
        .header(header::RETRY_AFTER, &seconds.to_string())
        .header(POLICY.clone(), &standing.policy)
        .header(LIMIT.clone(), &standing.limit)
}

/// The headers of an answered request.
#[derive(Debug)]
pub struct RateHeaders(Standing);

impl RateHeaders {
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let Self(Standing { policy, limit }) = self;
        for (name, value) in [(&POLICY, policy), (&LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}

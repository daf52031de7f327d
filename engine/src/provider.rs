//! The door to providers outside: every question that costs money goes through `Providers`, which asks the answers
//! already paid for first and stores each new one as it arrives.

use std::{sync::Arc, time::Duration};

use luci_schema::{ArtifactId, FailureCode, LeadId, RunId, TenantId, event::RunPrices};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::providers::{Apollo, Asker, Caller, RealEstate};
pub use crate::providers::{ProviderName, UnknownProvider};

/// What a provider bills for one unit, in micro-dollars: its list price, unless a run has pinned another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub provider: &'static str,
    pub unit: &'static str,
    pub micros: u64,
}

impl Price {
    /// `provider/unit`, as prices are pinned by.
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.unit)
    }

    /// As the run has pinned it.
    pub fn pinned(&self, prices: &RunPrices) -> u64 {
        prices.units.get(&self.key()).copied().unwrap_or(self.micros)
    }
}

/// Who asks, and who pays.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub tenant: TenantId,
    /// The first run of the lineage, whose answers are asked first.
    pub root_run: RunId,
    /// The release of the block that asks: the artifact id which its `block:queued` fixed. However often it is delivered,
    /// an answer that it paid for is counted by it, and by no other.
    pub release: ArtifactId,
    pub prices: &'a RunPrices,
}

/// Nothing is billed for a person that was not found.
pub const APOLLO_PERSON: Price = Price { provider: "apollo", unit: "person_match", micros: 100_000 };
pub const REALESTATE_MATCH: Price = Price { provider: "realestate", unit: "match", micros: 100_000 };

/// Why a lead got no answer. `code` decides what happens next; `reason` is a word of our own that events may hold;
/// `detail` may quote the provider and belongs in the `failed` artifact only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct ProviderError {
    pub provider: &'static str,
    pub code: FailureCode,
    pub reason: String,
    pub detail: Option<String>,
    pub retry_after: Option<Duration>,
}

/// A paid answer; `found` is `None` when the provider knows no such person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub found: Option<T>,
    pub cost_micros: u64,
    /// The release of the block that paid for it; unknown of answers that were stored before releases were.
    pub paid_by: Option<ArtifactId>,
    /// SHA-256 (lower hex) of what was asked: two rows of one lead that ask the same are one question.
    pub request_digest: String,
}

impl<T> Answer<T> {
    /// The cost that this release of a block has to report: each answer is counted by the release that paid for it.
    pub fn cost_to(&self, release: ArtifactId) -> u64 {
        if self.paid_by == Some(release) { self.cost_micros } else { 0 }
    }
}

pub type Answers<T> = Vec<Result<Answer<T>, ProviderError>>;

/// Who is asked for (ENRICH). Apollo wants e-mail, or LinkedIn, or first and last name with a company or domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    #[serde(flatten)]
    pub identifiers: PersonIdentifiers,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PersonIdentifiers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkedin_url: Option<String>,
}

/// Who is traced (SKIP_TRACE): street, city and state, and a first or last name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    pub address: String,
    pub city: String,
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    Mobile,
    Landline,
    Voip,
    Unknown,
}

/// A number as the provider wrote it; normalising is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundPhone {
    pub number: String,
    pub kind: PhoneKind,
    #[serde(default)]
    pub do_not_call: bool,
    /// `None` when the provider does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
}

impl FoundPhone {
    /// Neither flagged do-not-call nor known to be disconnected.
    pub fn usable(&self) -> bool {
        !self.do_not_call && self.connected != Some(false)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FoundOrganization {
    pub name: Option<String>,
    pub website_url: Option<String>,
    pub domain: Option<String>,
    pub phone: Option<String>,
    pub founded_year: Option<u32>,
    pub employees: Option<u64>,
    /// Dollars a year.
    pub annual_revenue: Option<u64>,
    pub industry: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersonMatch {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub title: Option<String>,
    /// `owner`, `founder`, `c_suite`, `vp` …
    pub seniority: Option<String>,
    pub email: Option<String>,
    /// `verified` is the one that can be relied on.
    pub email_status: Option<String>,
    pub personal_emails: Vec<String>,
    pub phones: Vec<FoundPhone>,
    pub linkedin_url: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub organization: Option<FoundOrganization>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TraceMatch {
    /// All numbers, flagged ones included: the caller leaves out those that are not `usable`.
    pub phones: Vec<FoundPhone>,
    pub emails: Vec<String>,
    pub addresses: Vec<String>,
    pub relatives: Vec<String>,
    pub age: Option<u32>,
}

/// Where a provider is reached (without a slash at the end) and with which key.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub base_url: String,
    pub key: SecretString,
}

/// Tries again on 408, 429, 5xx and broken connections, after `base` × 2ⁿ but at most `cap`, or after what the provider
/// asks for when that is at most `longest_wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    pub retries: u32,
    pub base: Duration,
    pub cap: Duration,
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(10),
            longest_wait: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone)]
pub struct ProvidersConfig {
    pub apollo: Option<Endpoint>,
    pub realestate: Option<Endpoint>,
    pub retry: RetryPolicy,
    /// Of one call, answer included.
    pub timeout: Duration,
    /// Calls that one block has out at once.
    pub in_flight: usize,
}

impl Default for ProvidersConfig {
    fn default() -> Self {
        Self {
            apollo: None,
            realestate: None,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            in_flight: 4,
        }
    }
}

impl ProvidersConfig {
    /// Providers that the installation itself has a credential for.
    pub fn configured(&self) -> Vec<ProviderName> {
        let endpoints = [(ProviderName::Apollo, &self.apollo), (ProviderName::RealEstate, &self.realestate)];
        endpoints.into_iter().filter(|(_, endpoint)| endpoint.is_some()).map(|(name, _)| name).collect()
    }
}

pub struct Providers {
    asker: Asker,
    apollo: Option<Apollo>,
    realestate: Option<RealEstate>,
}

impl Providers {
    /// `pool` has role `luci_engine`. The process must have a default rustls provider. Fails on an address that is no URL.
    pub fn new(pool: PgPool, config: ProvidersConfig) -> Result<Arc<Self>, String> {
        let client = Caller::client(config.timeout).map_err(|error| error.to_string())?;
        let caller = |provider: &'static str, endpoint: Option<Endpoint>| {
            endpoint.map(|endpoint| Caller::new(provider, client.clone(), endpoint, config.retry)).transpose()
        };
        Ok(Arc::new(Self {
            asker: Asker::new(pool, config.in_flight),
            apollo: caller("apollo", config.apollo)?.map(Apollo::new),
            realestate: caller("realestate", config.realestate)?.map(RealEstate::new),
        }))
    }

    /// Asks Apollo, ten people a call. The answers stand in the order of the queries.
    pub async fn people_match(&self, asking: Asking<'_>, queries: &[PersonQuery]) -> Answers<PersonMatch> {
        self.asker.ask(self.apollo.as_ref(), asking, queries).await
    }

    /// Asks RealEstateAPI, 250 leads a call (fewer than ten go one by one), in the order of the queries.
    pub async fn skip_trace(&self, asking: Asking<'_>, queries: &[TraceQuery]) -> Answers<TraceMatch> {
        self.asker.ask(self.realestate.as_ref(), asking, queries).await
    }
}

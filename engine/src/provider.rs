//! The door to providers outside: every question that costs money goes through `Providers`, which asks the answers
//! already paid for first and stores each new one as it arrives.

use std::{sync::Arc, time::Duration};

use luci_schema::{ArtifactId, FailureCode, LeadId, RunId, Stage, TenantId, event::RunPrices};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

pub use crate::providers::{
    BreakerPolicy, Limits, ProviderName, ProvidersConfig, RetryPolicy, Site, UnknownProvider,
    account::{Account, Scope},
    async_item as realestate_async_item,
    limits::{self, OwnLimits},
    weather,
};
use crate::{
    admin::vault::{Vault, VaultError},
    providers::{Apollo, Asker, RealEstate},
};

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
    pub asked: Asked,
}

/// Whether the provider heard the question that it did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Yes,
    /// The door was closed: a limit, a pause, a missing credential, or what an earlier call of the block was told.
    No,
}

impl ProviderError {
    /// An answer of the provider that is none.
    pub fn new(provider: ProviderName, code: FailureCode, reason: &str) -> Self {
        let provider = provider.as_str();
        Self { provider, code, reason: reason.into(), detail: None, retry_after: None, asked: Asked::Yes }
    }

    /// The rest of the block would fare no better: the stage cannot be carried out now.
    pub fn closes_the_door(&self) -> bool {
        self.asked == Asked::No || matches!(self.code, FailureCode::RateLimit)
    }
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

pub struct Providers {
    asker: Asker,
}

impl Providers {
    /// `pool` has role `luci_engine`. The process must have a default rustls provider. Fails on an address that is no URL.
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self { asker: Asker::new(pool, vault, config)? }))
    }

    /// The account that a tenant asks a provider with; `None` when it has none.
    pub async fn account(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        self.asker.account(tenant, provider).await
    }

    /// Asks who people are. The answers stand in the order of the queries.
    pub async fn people_match(&self, asking: Asking<'_>, queries: &[PersonQuery]) -> Answers<PersonMatch> {
        self.asker.ask::<Apollo>(asking, queries).await
    }

    /// Asks how people can be reached, in the order of the queries.
    pub async fn skip_trace(&self, asking: Asking<'_>, queries: &[TraceQuery]) -> Answers<TraceMatch> {
        self.asker.ask::<RealEstate>(asking, queries).await
    }
}

/// The provider that a stage asks, by `{"provider": …}` of its config. Fails with a sentence on one that cannot do it.
pub fn of_stage(stage: Stage, config: &serde_json::Value) -> Result<ProviderName, String> {
    let able: &[ProviderName] = match stage {
        Stage::Enrich => &[ProviderName::Apollo],
        Stage::SkipTrace => &[ProviderName::RealEstate],
        Stage::Import | Stage::Validate | Stage::Score | Stage::Assign | Stage::Push => &[],
    };
    let names = || able.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" or ");
    match config.get("provider") {
        None | Some(serde_json::Value::Null) => {
            able.first().copied().ok_or_else(|| format!("{stage} asks no provider"))
        }
        Some(given) => {
            let named = given.as_str().and_then(|text| text.parse().ok()).filter(|name| able.contains(name));
            named.ok_or_else(|| match able {
                [] => format!("{stage} asks no provider"),
                _ => format!("{stage} asks {}, not {given}", names()),
            })
        }
    }
}

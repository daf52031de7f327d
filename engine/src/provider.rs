//! The door to providers outside: every question that costs money goes through `Providers`, which asks the answers
//! already paid for first and stores each new one as it arrives.

mod found;

use std::{sync::Arc, time::Duration};

use luci_schema::{ArtifactId, FailureCode, KeyId, LeadId, RunId, TenantId, event::RunPrices};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

pub use found::{FoundOrganization, FoundPhone, PersonMatch, PhoneKind, TraceMatch};

pub use crate::providers::{
    BreakerPolicy, Limits, OrganizationQuery, ProviderName, ProvidersConfig, RetryPolicy, Site, UnknownProvider,
    account::{Account, Scope},
    async_item as realestate_async_item,
    choice::{check_stage, of_stage},
    filing::{Filing, FilingError},
    hand_over::{HandedOver, Handing},
    handed,
    limits::{self, OwnLimits},
    phones::{MOST_NUMBERS, PhoneFacts, PhoneQuery, PhoneSource},
    price::{
        APOLLO_COMPANY, APOLLO_PERSON, Price, REALESTATE_MATCH, TRACERFY_TRACE, TRESTLE_CONTACT, TRESTLE_PHONE,
        TWILIO_LOOKUP,
    },
    results::{Paid, PaidCall},
    weather,
};
use crate::{
    admin::vault::{Vault, VaultError},
    providers::{
        Apollo, Asker, Organizations, RealEstate,
        phones::{TrestleContact, TrestlePhone, TwilioLookup},
        queues,
        tracerfy::Tracerfy,
    },
};

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
    /// It was handed over, and its answer did not come in time.
    InVain,
}

impl ProviderError {
    /// An answer of the provider that is none.
    pub fn new(provider: ProviderName, code: FailureCode, reason: &str) -> Self {
        let provider = provider.as_str();
        Self { provider, code, reason: reason.into(), detail: None, retry_after: None, asked: Asked::Yes }
    }

    /// The rest of the block would fare no better: the stage cannot be carried out now.
    pub fn closes_the_door(&self) -> bool {
        self.asked != Asked::Yes || matches!(self.code, FailureCode::RateLimit)
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

/// Forgets what is no longer looked up of uploads and of batches that were handed over; answers how many rows.
pub async fn forget_old_traces(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    Ok(queues::forget_old(c).await? + handed::forget(c).await?)
}

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

    /// Asks what is known of companies, in the order of the queries.
    pub async fn organizations(&self, asking: Asking<'_>, queries: &[OrganizationQuery]) -> Answers<FoundOrganization> {
        self.asker.ask::<Organizations>(asking, queries).await
    }

    /// Asks how people can be reached, in the order of the queries.
    pub async fn skip_trace(
        &self,
        asking: Asking<'_>,
        provider: ProviderName,
        queries: &[TraceQuery],
    ) -> Answers<TraceMatch> {
        match provider {
            ProviderName::Tracerfy => self.asker.ask::<Tracerfy>(asking, queries).await,
            _ => self.asker.ask::<RealEstate>(asking, queries).await,
        }
    }

    /// Hands leads over to RealEstateAPI, which posts each answer to an address of their batch: those that have no answer yet
    /// and that nobody waits for. However often it is called, a release hands a question over once.
    pub async fn hand_over(&self, asking: Asking<'_>, handing: &Handing, queries: &[TraceQuery]) -> HandedOver {
        self.asker.hand_over(asking, handing, queries).await
    }

    /// Waits until nothing more can come for any of these batches.
    pub async fn awaited(&self, tenant: TenantId, batches: &[KeyId]) {
        self.asker.awaited(tenant, batches).await;
    }

    /// What came of the questions that were handed over, in their order. Those too few for a batch are asked now, unless
    /// `closed` says that it would be in vain. What comes later is counted by the release that uses it.
    pub async fn collect(
        &self,
        asking: Asking<'_>,
        queries: &[TraceQuery],
        closed: Option<&ProviderError>,
    ) -> Answers<TraceMatch> {
        self.asker.collect(asking, queries, closed).await
    }

    /// Asks what numbers are, in the order of the queries.
    pub async fn phone_facts(
        &self,
        asking: Asking<'_>,
        source: PhoneSource,
        queries: &[PhoneQuery],
    ) -> Answers<PhoneFacts> {
        match source {
            PhoneSource::TrestlePhone => self.asker.ask::<TrestlePhone>(asking, queries).await,
            PhoneSource::TrestleContact => self.asker.ask::<TrestleContact>(asking, queries).await,
            PhoneSource::Twilio => self.asker.ask::<TwilioLookup>(asking, queries).await,
        }
    }
}

//! Outside data providers: one file per API in `apis`, one way of looking up (`lookup`) and of calling (`call`).
//!
//! Every paid query goes through [`Providers`], which reads the stored answers first and stores each new one.

pub mod account;
pub mod apis;
pub mod async_batches;
mod breaker;
pub mod call;
mod call_batches;
pub mod capability;
mod collect;
pub mod config;
pub mod credentials;
pub mod descriptor;
mod error;
mod fields;
pub mod health;
pub mod limits;
pub mod lookup;
pub mod name;
mod phone_facts;
mod price;
pub mod prices;
pub mod quota;
mod reason;
mod remedy;
pub mod result_writer;
pub mod results;
pub mod send;
mod stored;
mod submit;
pub mod submit_batch;
mod trace_queues;

use std::sync::Arc;

use luci_config::vault::{Vault, VaultError};
use luci_schema::{ArtifactId, FailureCode, KeyId, RunId, TenantId, event::RunPrices};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

pub use luci_leads::enrich::query::{PersonIdentifiers, PersonQuery, TraceQuery};
pub use luci_leads::{
    PhoneKind,
    enrich::found::{FoundOrganization, FoundPhone, PersonMatch, TraceMatch},
};

pub use crate::{
    account::{Account, Scope},
    apis::{apollo::organizations::OrganizationQuery, realestate::async_item as realestate_async_item},
    breaker::Breaker,
    call::{Caller, client},
    capability::{Capability, NotCapable},
    config::{BreakerPolicy, Limits, ProvidersConfig, RetryPolicy, Site},
    error::{CallState, ProviderError},
    limits::OwnLimits,
    lookup::LookupClient,
    name::{ProviderName, UnknownProvider},
    phone_facts::{MAX_NUMBERS, PhoneFacts, PhoneQuery, PhoneSource, PhoneSubject},
    price::Price,
    quota::{Charge, Quota},
    reason::Reason,
    result_writer::{ResultWriter, ResultWriterError},
    results::{PaidAnswer, PaidCall},
    send::{Accepted, SendError},
    submit_batch::{BatchSubmission, SubmittedBatches},
};

/// On whose behalf providers are called.
#[derive(Debug, Clone, Copy)]
pub struct LookupContext<'a> {
    pub tenant: TenantId,
    /// The first run of the lineage: its stored answers are used.
    pub root_run: RunId,
    /// The release of the calling block: the artifact id in its `block:queued`. Redeliveries have the same one, so an answer's
    /// cost is reported once.
    pub release: ArtifactId,
    pub prices: &'a RunPrices,
    /// The block's: storing a paid answer is retried until it is cancelled.
    pub stop: &'a CancellationToken,
}

/// A paid answer; `found` is `None` when the provider has no match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub found: Option<T>,
    pub cost_micros: u64,
    /// The release of the block that paid; `None` of answers stored before releases were.
    pub paid_by: Option<ArtifactId>,
    /// SHA-256 (lower hex) of the query: two rows of one lead with the same digest are one query.
    pub request_digest: String,
}

impl<T> Answer<T> {
    /// The cost that this release has to report.
    pub fn cost_to(&self, release: ArtifactId) -> u64 {
        if self.paid_by == Some(release) { self.cost_micros } else { 0 }
    }
}

pub type Answers<T> = Vec<Result<Answer<T>, ProviderError>>;

/// Deletes old uploads and old async batches; returns the number of rows.
pub async fn delete_old_traces(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    Ok(trace_queues::delete_old(c).await? + async_batches::delete_old(c).await?)
}

/// Every provider call goes through this type. Answers stand in the order of their queries; a provider without the capability
/// gives `Reason::NotCapable` for each.
pub struct Providers {
    client: LookupClient,
}

impl Providers {
    /// `pool` has role `luci_engine`. The process must have a default rustls provider. Fails on an address that is no URL.
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self { client: LookupClient::new(pool, vault, config)? }))
    }

    /// The tenant's account; `None` when neither it nor the installation has a credential.
    pub async fn account(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        self.client.account(tenant, provider).await
    }

    /// Who people are.
    pub async fn people_match(
        &self,
        context: LookupContext<'_>,
        provider: ProviderName,
        queries: &[PersonQuery],
    ) -> Answers<PersonMatch> {
        match &provider.capabilities().person_match {
            Some(lookup) => lookup.run(&self.client, context, queries).await,
            None => not_capable(provider, queries.len()),
        }
    }

    /// What companies are.
    pub async fn organizations(
        &self,
        context: LookupContext<'_>,
        provider: ProviderName,
        queries: &[OrganizationQuery],
    ) -> Answers<FoundOrganization> {
        match &provider.capabilities().organizations {
            Some(lookup) => lookup.run(&self.client, context, queries).await,
            None => not_capable(provider, queries.len()),
        }
    }

    /// How people can be reached.
    pub async fn skip_trace(
        &self,
        context: LookupContext<'_>,
        provider: ProviderName,
        queries: &[TraceQuery],
    ) -> Answers<TraceMatch> {
        match &provider.capabilities().skip_trace {
            Some(lookup) => lookup.run(&self.client, context, queries).await,
            None => not_capable(provider, queries.len()),
        }
    }

    /// What numbers are.
    pub async fn phone_facts(
        &self,
        context: LookupContext<'_>,
        source: PhoneSource,
        queries: &[PhoneQuery],
    ) -> Answers<PhoneFacts> {
        source.lookup().run(&self.client, context, queries).await
    }

    /// Submits leads to `async_batches::PROVIDER`, which posts each answer to a webhook: those without an answer that are in no
    /// open batch. Idempotent: a release submits a query once.
    pub async fn submit_batches(
        &self,
        context: LookupContext<'_>,
        submission: &BatchSubmission,
        queries: &[TraceQuery],
    ) -> SubmittedBatches {
        self.client.submit_batches(context, submission, queries).await
    }

    /// Returns when no more answers can come for any of these batches.
    pub async fn wait_for_batches(&self, tenant: TenantId, batches: &[KeyId]) {
        self.client.wait_for_batches(tenant, batches).await;
    }

    /// The answers of submitted queries. Queries that are in no batch are looked up now, unless `stopped_by` says why not.
    /// Answers that arrive later are paid for by the release that uses them.
    pub async fn collect(
        &self,
        context: LookupContext<'_>,
        queries: &[TraceQuery],
        stopped_by: Option<&ProviderError>,
    ) -> Answers<TraceMatch> {
        self.client.collect(context, queries, stopped_by).await
    }
}

fn not_capable<T>(provider: ProviderName, count: usize) -> Answers<T> {
    let error = ProviderError::new(provider, FailureCode::Validation, Reason::NotCapable).not_made();
    (0..count).map(|_| Err(error.clone())).collect()
}

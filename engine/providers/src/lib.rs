//! Outside data providers: one module per API in `apis`, one way of looking up (`lookup`) and of calling (`call`).
//!
//! Every paid query goes through [`Providers`], which reads the stored answers first and stores each new one.

pub mod account;
mod answer;
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
mod group_writer;
pub mod health;
mod http;
pub mod limits;
pub mod lookup;
pub mod lookup_api;
pub mod name;
mod no_answer;
pub mod organization;
mod pending_lookups;
mod phone_facts;
mod price;
pub mod prices;
mod probe;
pub mod provider;
mod reason;
pub mod registry;
mod remedy;
pub mod result_writer;
pub mod results;
mod scope;
pub mod send;
mod stored;
pub mod submit_batch;
mod trace_queues;
mod write_until;

use std::sync::Arc;

use luci_config::vault::{Vault, VaultError};
use luci_schema::{FailureCode, KeyId, TenantId};
use sqlx::{PgConnection, PgPool};

pub use luci_leads::enrich::query::{PersonIdentifiers, PersonQuery, TraceQuery};
pub use luci_leads::{
    PhoneKind,
    enrich::found::{FoundOrganization, FoundPhone, PersonMatch, TraceMatch},
};

pub use crate::{
    account::Account,
    answer::{Answer, Answers, LookupContext},
    apis::realestate::async_item as realestate_async_item,
    breaker::Breaker,
    call::{Caller, Charge, Quota},
    capability::{Capability, NotCapable},
    config::{BreakerPolicy, ProvidersConfig, RetryPolicy, Site},
    descriptor::Limits,
    error::{CallState, ProviderError},
    http::client,
    limits::OwnLimits,
    lookup::LookupClient,
    name::ProviderName,
    organization::OrganizationQuery,
    phone_facts::{MAX_NUMBERS, PhoneFacts, PhoneQuery, PhoneSubject},
    price::Price,
    probe::Probes,
    provider::PhoneSource,
    reason::Reason,
    registry::UnknownProvider,
    result_writer::{ResultWriter, ResultWriterError},
    results::{BegunCall, PaidAnswer, PaidCall, StoredCost},
    scope::Scope,
    send::{Accepted, SendError},
    submit_batch::{BatchSubmission, SubmittedBatches},
};

/// Deletes old uploads, old async batches and old calls without an answer; returns the number of rows.
pub async fn delete_old_traces(c: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let batches = async_batches::delete_old(c).await?;
    Ok(trace_queues::delete_old(c).await? + batches + results::delete_old_calls(c).await?)
}

/// Every provider call goes through this type. Answers stand in the order of their queries; a provider without the capability
/// gives `Reason::NotCapable` for each.
pub struct Providers {
    client: LookupClient,
}

impl Providers {
    /// `pool` has role `luci_engine`. The process must have a default rustls provider. Fails on anything but an
    /// absolute http(s) URL.
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self { client: LookupClient::new(pool, vault, config)? }))
    }

    /// The secrets of the installation.
    pub fn vault(&self) -> &Vault {
        &self.client.vault
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

//! Looks up leads: reads paid answers, then calls the provider for the others in batches.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use luci_config::vault::{Vault, VaultError};
use luci_schema::{FailureCode, LeadId, Micros, TenantId};
use reqwest::Client;
use sqlx::PgPool;

use crate::{
    account::{Account, Accounts},
    answer::{Answers, LookupContext},
    call::Caller,
    call_batches::CallBatches,
    config::{ProvidersConfig, RetryPolicy},
    error::{CallState, ProviderError},
    health::{HealthRecorder, Outage},
    http,
    limits::{self, Grant},
    lookup_api::{LookupApi, database_failed, digest, not_called},
    name::ProviderName,
    pending_lookups::PendingLookups,
    reason::Reason,
    result_writer::ResultWriter,
    results,
    stored::{self, StoredAnswers},
};

/// What all lookups of a process share.
pub struct LookupClient {
    pub(super) pool: PgPool,
    writer: ResultWriter,
    accounts: Accounts,
    client: Client,
    health: HealthRecorder,
    pub(super) retry: RetryPolicy,
    in_flight: usize,
    pub(super) max_quota_wait: Duration,
    pub(super) vault: Arc<Vault>,
    pub(super) callback_url: Option<String>,
}

impl LookupClient {
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Result<Self, String> {
        config.sites.iter().try_for_each(|(provider, site)| http::check_url(*provider, &site.base_url))?;
        Ok(Self {
            client: http::client(config.timeout).map_err(|error| error.to_string())?,
            health: HealthRecorder::new(pool.clone()),
            retry: config.retry,
            in_flight: config.in_flight.max(1),
            max_quota_wait: config.max_quota_wait,
            callback_url: config.callback_url.clone(),
            accounts: Accounts::new(pool.clone(), Arc::clone(&vault), config),
            writer: ResultWriter::new(pool.clone()),
            pool,
            vault,
        })
    }

    pub async fn account(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        self.accounts.of(tenant, provider).await
    }

    pub(super) async fn account_for<A: LookupApi>(&self, tenant: TenantId) -> Result<Arc<Account>, ProviderError> {
        match self.accounts.of(tenant, A::PROVIDER).await {
            Ok(account) => account.ok_or_else(|| not_called::<A>(FailureCode::Auth, Reason::NotConfigured)),
            Err(VaultError::Database(error)) => Err(database_failed::<A>(&error)),
            Err(error) => {
                tracing::error!(tenant.id = %tenant, provider = %A::PROVIDER, %error, "credential cannot be decrypted");
                Err(not_called::<A>(FailureCode::Auth, Reason::CredentialUnreadable))
            }
        }
    }

    pub(super) fn adapter<A: LookupApi>(&self, tenant: TenantId, account: Arc<Account>) -> A {
        A::new(Caller {
            provider: account.provider,
            tenant,
            client: self.client.clone(),
            account,
            retry: self.retry,
            max_quota_wait: self.max_quota_wait,
            health: self.health.clone(),
            pool: self.pool.clone(),
        })
    }

    /// Returns one answer per query, in query order. When a stored answer cannot be decoded, nothing is called.
    pub async fn lookup<A: LookupApi>(&self, context: LookupContext<'_>, queries: &[A::Query]) -> Answers<A::Match> {
        let digests = queries.iter().map(digest::<A>).collect();
        let mut lookups: PendingLookups<'_, A> = PendingLookups { queries, digests, answers: Vec::new() };
        match self.stored_answers::<A>(context, queries).await {
            Ok(stored) => {
                let keys = queries.iter().zip(&lookups.digests).map(|(query, digest)| (A::lead(query), digest.clone()));
                lookups.answers = keys.map(|key| stored.get(&key).cloned()).collect();
            }
            // Without the stored answers, a call could pay twice.
            Err(error) => return queries.iter().map(|_| Err(database_failed::<A>(&error))).collect(),
        }
        let (open, duplicates) = lookups.open();
        let unreadable = lookups.answers.iter().find_map(|answer| answer.as_ref()?.as_ref().err()).cloned();
        match unreadable {
            Some(error) => lookups.fail(&open, &error),
            None if open.is_empty() => {}
            None => match self.account_for::<A>(context.tenant).await {
                Ok(account) => self.call_all(context, account, &mut lookups, &open).await,
                Err(error) => lookups.fail(&open, &error),
            },
        }
        for (n, first) in duplicates {
            lookups.answers[n] = lookups.answers[first].clone();
        }
        let missing = || Err(ProviderError::new(A::PROVIDER, FailureCode::ApiError, Reason::MissingAnswer));
        lookups.answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// Calls for `open` as far as the limits allow, waiting for quota at most `max_quota_wait` in total.
    async fn call_all<A: LookupApi>(
        &self,
        context: LookupContext<'_>,
        account: Arc<Account>,
        lookups: &mut PendingLookups<'_, A>,
        open: &[usize],
    ) {
        let tenant = context.tenant;
        let api: A = self.adapter(tenant, Arc::clone(&account));
        let (writer, in_flight) = (&self.writer, self.in_flight);
        let calls = CallBatches { writer, context, in_flight, stopped_by: OnceLock::new() };
        let (mut rest, mut wait_left) = (open, self.max_quota_wait);
        loop {
            let grant = match self.grant(tenant, &account, rest.len()).await {
                Ok(grant) => grant,
                Err(error) => return lookups.fail(rest, &database_failed::<A>(&error)),
            };
            let (granted, later) = rest.split_at(grant.people);
            calls.execute_all(&api, lookups, granted).await;
            self.give_back_uncalled(tenant, &account, lookups, granted).await;
            rest = later;
            if rest.is_empty() {
                return;
            }
            if let Some(error) = calls.stopped_by.get() {
                return lookups.fail(rest, &error.clone().not_made());
            }
            if grant.wait > wait_left {
                return lookups.fail(rest, &self.record_quota_exceeded::<A>(&account, grant.wait));
            }
            wait_left -= grant.wait;
            tokio::time::sleep(grant.wait).await;
        }
    }

    /// Records the outage as well.
    pub(super) fn record_quota_exceeded<A: LookupApi>(&self, account: &Account, wait: Duration) -> ProviderError {
        let until = Micros::now().plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.health.outage(A::PROVIDER, account.scope, Outage::Limited, until);
        ProviderError { retry_after: Some(wait), ..not_called::<A>(FailureCode::RateLimit, Reason::Limit) }
    }

    pub(super) async fn grant(&self, tenant: TenantId, account: &Account, people: usize) -> Result<Grant, sqlx::Error> {
        if account.limits.is_none() {
            return Ok(Grant { people, wait: Duration::ZERO });
        }
        let mut c = self.pool.acquire().await?;
        limits::take(&mut c, tenant, account.provider, account.scope, &account.limits, people).await
    }

    async fn give_back_uncalled<A: LookupApi>(
        &self,
        tenant: TenantId,
        account: &Account,
        lookups: &PendingLookups<'_, A>,
        granted: &[usize],
    ) {
        let uncalled =
            |n: &&usize| matches!(&lookups.answers[**n], Some(Err(error)) if error.call == CallState::NotMade);
        self.give_back(tenant, account, granted.iter().filter(uncalled).count()).await;
    }

    /// Gives back people that the provider was not asked about.
    pub(super) async fn give_back(&self, tenant: TenantId, account: &Account, people: usize) {
        if people == 0 || account.limits.is_none() {
            return;
        }
        let returned = async {
            let mut c = self.pool.acquire().await?;
            limits::give_back(&mut c, tenant, account.provider, account.scope, people).await
        };
        if let Err(error) = returned.await {
            tracing::warn!(tenant.id = %tenant, provider = %account.provider, people, %error, "unused quota not returned");
        }
    }

    /// What this lineage has stored of the queries' leads, by lead and digest.
    pub(super) async fn stored_answers<A: LookupApi>(
        &self,
        context: LookupContext<'_>,
        queries: &[A::Query],
    ) -> Result<StoredAnswers<A::Match>, sqlx::Error> {
        if queries.is_empty() {
            return Ok(HashMap::new());
        }
        let leads: Vec<LeadId> = queries.iter().map(A::lead).collect();
        let mut connection = self.pool.acquire().await?;
        let rows = results::of_leads(&mut connection, context.tenant, context.root_run, A::STAGE, &leads).await?;
        let digests = queries.iter().map(|query| (A::lead(query), digest::<A>(query))).collect();
        Ok(stored::decode::<A>(&context, &digests, rows))
    }
}

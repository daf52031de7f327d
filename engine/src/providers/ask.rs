//! Asking a provider for many leads: answers already paid for first, the rest in batches, each stored as it arrives.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use luci_schema::{FailureCode, LeadId, Micros, Stage, TenantId};
use reqwest::Client;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{
    Caller, Errand, ProviderName, ProvidersConfig,
    account::{Account, Accounts},
    call,
    config::RetryPolicy,
    filing::Filing,
    limits::{self, Grant},
    results,
    spending::Spending,
    weather::{Cloud, Station},
};
use crate::{
    admin::vault::{Vault, VaultError},
    provider::{Answer, Answers, Asked, Asking, Price, ProviderError},
};

/// What an adapter answers for one lead: the person, or that there is none, or why there is no answer.
pub type Outcome<M> = Result<Option<M>, ProviderError>;

/// One API of a provider.
pub trait Api: Send + Sync {
    const PROVIDER: ProviderName;
    type Query: Serialize + Sync;
    type Match: Serialize + DeserializeOwned + Clone + Send;
    const PRICE: Price;
    const STAGE: Stage;

    fn new(caller: Caller) -> Self;
    fn lead(query: &Self::Query) -> LeadId;
    /// How many of `left` queries go into the next call.
    fn batch(left: usize) -> usize;
    /// One call for all queries of a batch: an outcome for each, in their order, or one error for all.
    fn call(
        &self,
        errand: Errand<'_>,
        queries: &[&Self::Query],
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Match>>, ProviderError>> + Send;
}

pub struct Asker {
    pub(super) pool: PgPool,
    filing: Filing,
    accounts: Accounts,
    client: Client,
    station: Station,
    pub(super) retry: RetryPolicy,
    in_flight: usize,
    pub(super) patience: Duration,
    pub(super) vault: Arc<Vault>,
    pub(super) callback_url: Option<String>,
}

/// The queries of one question to a provider, their digests, and the answers as they come.
pub struct Questions<'a, A: Api> {
    pub queries: &'a [A::Query],
    pub digests: Vec<String>,
    pub answers: Vec<Option<Result<Answer<A::Match>, ProviderError>>>,
}

impl<A: Api> Questions<'_, A> {
    /// What has no answer yet; and rows that ask what an earlier row of the same lead asks, each with that row.
    fn open(&self) -> (Vec<usize>, Vec<(usize, usize)>) {
        let mut first: HashMap<(LeadId, &str), usize> = HashMap::new();
        let (mut open, mut same) = (Vec::new(), Vec::new());
        for n in (0..self.queries.len()).filter(|n| self.answers[*n].is_none()) {
            match first.entry((A::lead(&self.queries[n]), self.digests[n].as_str())) {
                Entry::Vacant(free) => open.push(*free.insert(n)),
                Entry::Occupied(asked) => same.push((n, *asked.get())),
            }
        }
        (open, same)
    }

    /// One error for all of `rest`.
    fn close(&mut self, rest: &[usize], error: &ProviderError) {
        for n in rest {
            self.answers[*n] = Some(Err(error.clone()));
        }
    }
}

impl Asker {
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Result<Self, String> {
        config.sites.iter().try_for_each(|(provider, site)| call::checked(*provider, &site.base_url))?;
        Ok(Self {
            client: call::client(config.timeout).map_err(|error| error.to_string())?,
            station: Station::new(pool.clone()),
            retry: config.retry,
            in_flight: config.in_flight.max(1),
            patience: config.patience,
            callback_url: config.callback_url.clone(),
            accounts: Accounts::new(pool.clone(), Arc::clone(&vault), config),
            filing: Filing::new(pool.clone()),
            pool,
            vault,
        })
    }

    pub async fn account(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        self.accounts.of(tenant, provider).await
    }

    pub(super) async fn account_of<A: Api>(&self, tenant: TenantId) -> Result<Arc<Account>, ProviderError> {
        match self.accounts.of(tenant, A::PROVIDER).await {
            Ok(account) => account.ok_or_else(|| closed::<A>(FailureCode::Auth, "not_configured")),
            Err(VaultError::Database(error)) => Err(unread::<A>(&error)),
            Err(error) => {
                tracing::error!(provider = %A::PROVIDER, %error, "a credential cannot be used");
                Err(closed::<A>(FailureCode::Auth, "credential_unreadable"))
            }
        }
    }

    pub(super) fn caller<A: Api>(&self, tenant: TenantId, account: Arc<Account>) -> A {
        A::new(Caller {
            provider: account.provider,
            tenant,
            client: self.client.clone(),
            account,
            retry: self.retry,
            patience: self.patience,
            station: self.station.clone(),
            pool: self.pool.clone(),
        })
    }

    pub async fn ask<A: Api>(&self, asking: Asking<'_>, queries: &[A::Query]) -> Answers<A::Match> {
        let mut asked: Questions<'_, A> =
            Questions { queries, digests: queries.iter().map(digest::<A>).collect(), answers: Vec::new() };
        match self.paid::<A>(asking, queries).await {
            Ok(paid) => {
                let known = queries.iter().zip(&asked.digests);
                asked.answers.extend(known.map(|(q, digest)| paid.get(&(A::lead(q), digest.clone())).cloned().map(Ok)));
            }
            // Without the answers already paid for, asking could pay twice.
            Err(error) => return queries.iter().map(|_| Err(unread::<A>(&error))).collect(),
        }
        let (open, same) = asked.open();
        if !open.is_empty() {
            match self.account_of::<A>(asking.tenant).await {
                Ok(account) => self.spend(asking, account, &mut asked, &open).await,
                Err(error) => asked.close(&open, &error),
            }
        }
        // Two rows of one lead that ask the same are asked once.
        for (n, first) in same {
            asked.answers[n] = asked.answers[first].clone();
        }
        asked.answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(missing::<A>()))).collect()
    }

    /// Asks about `open` as far as limits allow, waiting for them as long as patience lasts.
    async fn spend<A: Api>(
        &self,
        asking: Asking<'_>,
        account: Arc<Account>,
        asked: &mut Questions<'_, A>,
        open: &[usize],
    ) {
        let tenant = asking.tenant;
        let api: A = self.caller(tenant, Arc::clone(&account));
        let (filing, in_flight) = (&self.filing, self.in_flight);
        let spending = Spending { filing, asking, in_flight, stopped: OnceLock::new() };
        let (mut rest, mut patience) = (open, self.patience);
        loop {
            let grant = match self.grant(tenant, &account, rest.len()).await {
                Ok(grant) => grant,
                Err(error) => return asked.close(rest, &unread::<A>(&error)),
            };
            let (now, later) = rest.split_at(grant.people);
            spending.all(&api, asked, now).await;
            self.unused(tenant, &account, asked, now).await;
            rest = later;
            if rest.is_empty() {
                return;
            }
            if let Some(error) = spending.stopped.get() {
                return asked.close(rest, &ProviderError { asked: Asked::No, ..error.clone() });
            }
            if grant.wait > patience {
                return asked.close(rest, &self.limited::<A>(&account, grant.wait));
            }
            patience -= grant.wait;
            tokio::time::sleep(grant.wait).await;
        }
    }

    /// The limit is used up for so long; people are told.
    pub(super) fn limited<A: Api>(&self, account: &Account, wait: Duration) -> ProviderError {
        let until = Micros::now().plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.station.cloud(A::PROVIDER, account.scope, Cloud::Limited, until);
        ProviderError { retry_after: Some(wait), ..closed::<A>(FailureCode::RateLimit, "limit") }
    }

    pub(super) async fn grant(&self, tenant: TenantId, account: &Account, wanted: usize) -> Result<Grant, sqlx::Error> {
        if account.limits.none() {
            return Ok(Grant { people: wanted, wait: Duration::ZERO });
        }
        let mut c = self.pool.acquire().await?;
        limits::take(&mut c, tenant, account.provider, account.scope, &account.limits, wanted).await
    }

    /// Gives back what was granted for leads that were not asked about after all.
    async fn unused<A: Api>(&self, tenant: TenantId, account: &Account, asked: &Questions<'_, A>, now: &[usize]) {
        let spared = |n: &&usize| matches!(&asked.answers[**n], Some(Err(error)) if error.asked == Asked::No);
        let people = if account.limits.none() { 0 } else { now.iter().filter(spared).count() };
        if people == 0 {
            return;
        }
        self.give_back(tenant, account, people).await;
    }

    pub(super) async fn give_back(&self, tenant: TenantId, account: &Account, people: usize) {
        let given = async {
            let mut c = self.pool.acquire().await?;
            limits::give_back(&mut c, tenant, account.provider, account.scope, people).await
        };
        if let Err(error) = given.await {
            tracing::warn!(provider = %account.provider, people, %error, "grants that were not used are lost");
        }
    }

    pub(super) async fn paid<A: Api>(
        &self,
        asking: Asking<'_>,
        queries: &[A::Query],
    ) -> Result<HashMap<(LeadId, String), Answer<A::Match>>, sqlx::Error> {
        if queries.is_empty() {
            return Ok(HashMap::new());
        }
        let leads: Vec<LeadId> = queries.iter().map(A::lead).collect();
        let mut connection = self.pool.acquire().await?;
        let stored = results::of_leads(&mut connection, asking.tenant, asking.root_run, A::STAGE, &leads).await?;
        // An outcome that an older version wrote and this one cannot read is asked again.
        let readable = stored.into_iter().filter_map(|paid| {
            let found = serde_json::from_str(&paid.outcome).ok()?;
            let request_digest = paid.request_digest.clone();
            let answer = Answer { found, cost_micros: paid.cost_micros, paid_by: paid.paid_by, request_digest };
            Some(((paid.lead_id, paid.request_digest), answer))
        });
        Ok(readable.collect())
    }
}

/// SHA-256 (lower hex) of what is asked, which leaves the lead itself out.
pub(super) fn digest<A: Api>(query: &A::Query) -> String {
    let mut hash = Sha256::new();
    hash.update(A::PRICE.provider);
    hash.update([0x1f]);
    // Fields stand in the order of the struct; none of them can fail.
    hash.update(serde_json::to_vec(query).unwrap_or_default());
    hex::encode(hash.finalize())
}

/// The door is closed: it was not asked.
pub(super) fn closed<A: Api>(code: FailureCode, reason: &str) -> ProviderError {
    ProviderError { asked: Asked::No, ..ProviderError::new(A::PROVIDER, code, reason) }
}

/// What must be known before asking is not, since the database did not answer.
pub(super) fn unread<A: Api>(cause: &sqlx::Error) -> ProviderError {
    ProviderError { detail: Some(cause.to_string()), ..closed::<A>(FailureCode::Internal, "answers_unreadable") }
}

fn missing<A: Api>() -> ProviderError {
    ProviderError::new(A::PROVIDER, FailureCode::ApiError, "missing_answer")
}

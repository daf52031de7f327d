//! A tenant's account at a provider: its own credential, else the installation's. Cached for `account_ttl`.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use lru::LruCache;
use luci_config::vault::{Vault, VaultError};
use luci_schema::TenantId;
use sqlx::PgPool;

use crate::{
    breaker::Breaker,
    config::ProvidersConfig,
    credentials::{self, Credential},
    descriptor::Limits,
    limits,
    name::ProviderName,
    scope::Scope,
};

/// How one tenant calls a provider.
#[derive(Debug)]
pub struct Account {
    pub provider: ProviderName,
    pub scope: Scope,
    /// Without a slash at the end.
    pub base_url: String,
    pub credential: Credential,
    pub limits: Limits,
    pub(super) breaker: Arc<Breaker>,
}

/// When it was read, and the result.
type CachedAccount = (Instant, Option<Arc<Account>>);

/// A cache of accounts.
pub struct Accounts {
    pool: PgPool,
    vault: Arc<Vault>,
    config: ProvidersConfig,
    cache: Mutex<LruCache<(TenantId, ProviderName), CachedAccount>>,
    breakers: Mutex<HashMap<(ProviderName, Scope), Arc<Breaker>>>,
}

const CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

impl Accounts {
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Self {
        Self { pool, vault, config, cache: Mutex::new(LruCache::new(CACHE_SIZE)), breakers: Mutex::default() }
    }

    /// `None` when neither the tenant nor the installation has a credential. Changes are seen after `config.account_ttl`.
    pub async fn of(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        let cached = lock(&self.cache).get(&(tenant, provider)).cloned();
        if let Some((at, account)) = cached.filter(|(at, _)| at.elapsed() < self.config.account_ttl) {
            tracing::trace!(%provider, age_ms = at.elapsed().as_millis(), "account read from cache");
            return Ok(account);
        }
        let account = self.read(tenant, provider).await?.map(Arc::new);
        lock(&self.cache).put((tenant, provider), (Instant::now(), account.clone()));
        Ok(account)
    }

    async fn read(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Account>, VaultError> {
        let site = self.config.site(provider);
        let mut c = self.pool.acquire().await?;
        let own = credentials::of(&mut c, tenant, &self.vault, provider).await?;
        let chosen = limits::own(&mut c, tenant, provider).await?;
        let (scope, credential) = match (own, site.credential) {
            (Some(own), _) => (Scope::Tenant(tenant), own),
            (None, Some(credential)) => (Scope::Installation, credential),
            (None, None) => return Ok(None),
        };
        let limits = limits::of_account(scope, chosen, site.limits);
        let breaker = self.breaker(provider, scope);
        Ok(Some(Account { provider, scope, base_url: site.base_url, credential, limits, breaker }))
    }

    /// Shared by all that use the account.
    fn breaker(&self, provider: ProviderName, scope: Scope) -> Arc<Breaker> {
        let mut breakers = lock(&self.breakers);
        let new = || Arc::new(Breaker::new(self.config.breaker));
        Arc::clone(breakers.entry((provider, scope)).or_insert_with(new))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How a tenant is known at a provider: by its own credential, else by the installation's. Looked up now and then.

use std::{
    collections::HashMap,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use lru::LruCache;
use luci_schema::TenantId;
use sqlx::PgPool;

use super::{Breaker, Limits, ProviderName, ProvidersConfig, limits};
use crate::admin::{
    credentials::{self, Credential},
    vault::{Vault, VaultError},
};

/// Whose credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Installation,
    Tenant(TenantId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation"),
            Self::Tenant(tenant) => tenant.fmt(f),
        }
    }
}

/// A provider as one tenant may ask it.
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

/// When it was looked up, and what was found.
type LookedUp = (Instant, Option<Arc<Account>>);

/// Accounts that were looked up.
pub struct Accounts {
    pool: PgPool,
    vault: Arc<Vault>,
    config: ProvidersConfig,
    known: Mutex<LruCache<(TenantId, ProviderName), LookedUp>>,
    breakers: Mutex<HashMap<(ProviderName, Scope), Arc<Breaker>>>,
}

const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

impl Accounts {
    pub fn new(pool: PgPool, vault: Arc<Vault>, config: ProvidersConfig) -> Self {
        Self { pool, vault, config, known: Mutex::new(LruCache::new(KEPT)), breakers: Mutex::default() }
    }

    /// The account that `tenant` asks with; `None` when there is neither a credential of its own nor one of the
    /// installation. What is changed elsewhere is seen after `config.fresh`.
    pub async fn of(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Arc<Account>>, VaultError> {
        let known = lock(&self.known).get(&(tenant, provider)).cloned();
        if let Some((at, account)) = known.filter(|(at, _)| at.elapsed() < self.config.fresh) {
            tracing::trace!(%provider, age_ms = at.elapsed().as_millis(), "an account is known");
            return Ok(account);
        }
        let account = self.look_up(tenant, provider).await?.map(Arc::new);
        lock(&self.known).put((tenant, provider), (Instant::now(), account.clone()));
        Ok(account)
    }

    async fn look_up(&self, tenant: TenantId, provider: ProviderName) -> Result<Option<Account>, VaultError> {
        let site = self.config.site(provider);
        let mut c = self.pool.acquire().await?;
        let own = credentials::of(&mut c, tenant, &self.vault, provider).await?;
        let asked = limits::own(&mut c, tenant, provider).await?;
        let least = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        let (scope, credential, limits) = match (own, site.credential) {
            // With its own credential, how much the tenant spends is its own affair.
            (Some(own), _) => (
                Scope::Tenant(tenant),
                own,
                Limits { per_minute: asked.per_minute, per_day: asked.per_day, ..Limits::default() },
            ),
            (None, Some(credential)) => (
                Scope::Installation,
                credential,
                Limits {
                    tenant_per_minute: least(asked.per_minute, site.limits.tenant_per_minute),
                    tenant_per_day: least(asked.per_day, site.limits.tenant_per_day),
                    ..site.limits
                },
            ),
            (None, None) => return Ok(None),
        };
        let breaker = self.breaker(provider, scope);
        Ok(Some(Account { provider, scope, base_url: site.base_url, credential, limits, breaker }))
    }

    /// One for all who use an account, whoever looks it up.
    fn breaker(&self, provider: ProviderName, scope: Scope) -> Arc<Breaker> {
        let mut breakers = lock(&self.breakers);
        let new = || Arc::new(Breaker::new(self.config.breaker));
        Arc::clone(breakers.entry((provider, scope)).or_insert_with(new))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

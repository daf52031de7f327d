//! Fixture: a sandbox, a database, the providers' adapters, and queries.

use std::{sync::Arc, time::Duration};

use luci_config::tenants;
use luci_leads::enrich::query::{PersonIdentifiers, PersonQuery, TraceQuery};
use luci_providers::{LookupContext, Providers, ProvidersConfig, RetryPolicy};
use luci_sandbox::{Sandbox, SandboxOptions};
use luci_schema::{
    ArtifactId, LeadId, RunId, TenantId,
    event::RunPrices,
    log::{Log, LogOptions},
    migrate,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::support::{Database, database, vault};

pub struct Fixture {
    pub sandbox: Sandbox,
    pub providers: Arc<Providers>,
    pub pool: PgPool,
    pub tenant: TenantId,
    pub run: RunId,
    pub release: ArtifactId,
    prices: RunPrices,
    stop: CancellationToken,
    database: Database,
}

/// Retries without a wait.
pub fn at_once() -> RetryPolicy {
    let none = Duration::from_millis(1);
    RetryPolicy { base: none, cap: none, poll: none, ..RetryPolicy::default() }
}

impl Fixture {
    pub async fn new() -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let sandbox = Sandbox::start(listen, SandboxOptions::default()).await.expect("a sandbox");
        let database = database().await;
        let pool = migrate::connect(database.url(), migrate::DatabaseRole::Engine, 4).await.expect("a pool");
        let providers = Self::door(&sandbox, &pool, sandbox.key(), at_once());
        Self {
            sandbox,
            providers,
            pool,
            tenant: TenantId::generate(),
            run: RunId::generate(),
            release: ArtifactId::generate(),
            prices: RunPrices::default(),
            stop: CancellationToken::new(),
            database,
        }
    }

    /// Connects as the database's owner.
    pub async fn owner(&self) -> PgPool {
        self.database.pool().await
    }

    pub fn door(sandbox: &Sandbox, pool: &PgPool, key: &str, retry: RetryPolicy) -> Arc<Providers> {
        let timeout = Duration::from_secs(1);
        let config = ProvidersConfig { retry, timeout, ..ProvidersConfig::all_at(&sandbox.url(), key) };
        Providers::new(pool.clone(), vault(), config).expect("a good address")
    }

    pub fn with(&self, key: &str, retry: RetryPolicy) -> Arc<Providers> {
        Self::door(&self.sandbox, &self.pool, key, retry)
    }

    pub fn request(&self) -> LookupContext<'_> {
        LookupContext {
            tenant: self.tenant,
            root_run: self.run,
            release: self.release,
            prices: &self.prices,
            stop: &self.stop,
        }
    }

    /// A tenant in the database, which secrets refer to.
    pub async fn founded(&self) -> TenantId {
        let log = Log::open(self.pool.clone(), LogOptions::default()).await.expect("a log");
        tenants::create(&log, "Test", "test", luci_leads::commands::sectors::seed_new_tenant)
            .await
            .expect("a tenant")
            .tenant
    }

    pub fn calls(&self, path: &str) -> u64 {
        self.sandbox.ledger().calls.get(path).copied().unwrap_or_default()
    }
}

pub fn people(count: usize) -> Vec<PersonQuery> {
    let person = |n: usize| PersonQuery {
        lead_id: LeadId::generate(),
        identifiers: PersonIdentifiers {
            first_name: Some(format!("First{n}")),
            last_name: Some("Tester".into()),
            organization_name: Some(format!("Company {n}")),
            ..Default::default()
        },
    };
    (0..count).map(person).collect()
}

pub fn addresses(count: usize) -> Vec<TraceQuery> {
    let address = |n: usize| TraceQuery {
        lead_id: LeadId::generate(),
        first_name: Some(format!("First{n}")),
        last_name: Some("Tester".into()),
        address: format!("{n} Main St"),
        city: "Albany".into(),
        state: "NY".into(),
        zip: Some("12207".into()),
    };
    (0..count).map(address).collect()
}

//! LUCI in one process: connection pools, log and broker, and the roles that use them.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::OptionFuture};
use luci_config::{installation_key, vault::Vault};
use luci_gateway::{Gateway, Options, monitor::Monitor, readiness::Readiness};
use luci_messaging::{
    carriers::{CarrierAccounts, SendersConfig},
    sender::{self, SenderOptions},
};
use luci_projections::Projector;
use luci_providers::{Probes, Providers, ProvidersConfig};
use luci_runs::{
    broker::{BrokerError, EvtOptions},
    clock::{self, LostBlocks},
    issue::Issuer,
    relay::{self, RelayOptions},
    seal_stream::SealStream,
    sealer::{self, SealerOptions},
    store_claim,
    worker::{self, WorkerOptions},
};
use luci_schema::{
    Position,
    log::{Log, LogOptions, Snapshots},
    migrate::{self, DatabaseRole},
};
use luci_stages::Tools;
use luci_storage::Storage;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    broker_client::{client_access, connected},
    forward::forward,
    monitored,
    roles::{DegradedRoles, ProcessRole, Roles},
    stored_data::StoredData,
    system_error::SystemError,
};
use crate::broker::{BrokerAccess, BrokerUser};

/// Everything that a process needs to start.
pub struct Setup {
    pub database_url: SecretString,
    pub broker: BrokerAccess,
    /// The size of stream EVT.
    pub evt: EvtOptions,
    pub storage: Storage,
    /// Encrypts secrets under the master key.
    pub vault: Arc<Vault>,
    /// When set, the clock role also seals the log.
    pub sealing: Option<SealerOptions>,
    pub providers: ProvidersConfig,
    pub senders: SendersConfig,
    /// The gateway's socket; bound by the caller, which can explain a port that is in use.
    pub listener: Option<std::net::TcpListener>,
    /// A socket for probes and Prometheus alone.
    pub monitor: Option<std::net::TcpListener>,
    /// The name under which this process holds leases. A restarted process with the same name takes its leases over at
    /// once, so two processes that run at the same time need different names.
    pub instance: String,
    pub roles: Vec<ProcessRole>,
    pub workers: WorkerOptions,
    pub sender: SenderOptions,
    pub gateway: Options,
    pub metrics: PrometheusHandle,
}

/// A running process.
pub struct System {
    pub log: Log,
    /// Connections with the database role `luci_engine`.
    pub pool: PgPool,
    pub degraded_roles: DegradedRoles,
    roles: Roles,
    stop: CancellationToken,
    /// Cancelled after the drain: a process that stops says so.
    monitor_stop: CancellationToken,
    /// A connection of one of the roles, whose state stands for all of them.
    nats: Option<async_nats::Client>,
    write_pool: PgPool,
    read_pool: PgPool,
    fold_pool: PgPool,
}

/// Connections of one process: a Postgres with 100 connections serves three processes.
const ENGINE_CONNECTIONS: u32 = 14;
/// The gateway's own connections of role `luci_engine`: callers cannot take those of the other roles.
const WRITE_CONNECTIONS: u32 = 6;
const READ_CONNECTIONS: u32 = 6;
const FOLD_CONNECTIONS: u32 = 3;
/// Longer than a worker's drain (10 s), shorter than systemd's stop timeout (90 s).
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Interval of looking for blocks that the broker lost.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

impl System {
    /// Connects, opens the log and starts the roles. The caller has migrated the database.
    pub async fn start(mut setup: Setup) -> Result<Self, SystemError> {
        let url = setup.database_url.expose_secret();
        let (pool, write_pool, read_pool, fold_pool) = tokio::try_join!(
            migrate::connect(url, DatabaseRole::Engine, ENGINE_CONNECTIONS),
            migrate::connect(url, DatabaseRole::Engine, WRITE_CONNECTIONS),
            migrate::connect(url, DatabaseRole::Gateway, READ_CONNECTIONS),
            migrate::connect(url, DatabaseRole::Projector, FOLD_CONNECTIONS),
        )?;
        installation_key::check_master_key(&pool, &setup.vault).await?;
        let log = Log::open(pool.clone(), LogOptions::default()).await?;
        store_claim::claim_store(&pool, &setup.storage).await?;
        setup.storage = setup.storage.with_versions(pool.clone());
        let (stop, roles) = (CancellationToken::new(), Roles::default());
        let degraded_roles = roles.degraded.clone();
        let (nats, monitor_stop) = (None, CancellationToken::new());
        let mut system =
            Self { log, pool, degraded_roles, roles, stop, monitor_stop, nats, write_pool, read_pool, fold_pool };
        let snapshots = Snapshots::new(setup.vault.snapshot_key().expose_secret());
        let issuer = Issuer::new(system.log.clone()).with_snapshots(snapshots);
        let projected = watch::Sender::new(Position(0));
        for &role in &setup.roles {
            match role {
                ProcessRole::Gateway => system.gateway(&setup, &issuer, &projected).await?,
                ProcessRole::Engine => system.engine(&setup, &issuer).await?,
                ProcessRole::Projections => system.projections(&setup, &projected),
                ProcessRole::Relay => system.relay(&setup).await?,
                ProcessRole::Clock => system.clock(&setup, &issuer).await?,
                ProcessRole::Sender => system.sender(&setup)?,
            }
        }
        system.monitor(&setup)?;
        monitored::metrics_upkeep(setup.metrics, system.stop.clone());
        Ok(system)
    }

    async fn gateway(
        &mut self,
        setup: &Setup,
        issuer: &Issuer,
        projected: &watch::Sender<Position>,
    ) -> Result<(), SystemError> {
        let Some(listener) = setup.listener.as_ref().map(std::net::TcpListener::try_clone) else { return Ok(()) };
        let listener = Arc::new(listener.map_err(sqlx::Error::Io)?);
        let nats = self.connected(setup, BrokerUser::Gateway).await?;
        let nats_access = client_access(&setup.broker).await?;
        let projected = setup.roles.contains(&ProcessRole::Projections).then(|| projected.subscribe());
        let log = self.log.with_pool(self.write_pool.clone());
        let (issuer, storage) = (issuer.with_log(log.clone()), setup.storage.clone());
        let (read_pool, engine_pool) = (self.read_pool.clone(), self.write_pool.clone());
        let (vault, configured) = (setup.vault.clone(), setup.providers.configured());
        let provider_limits = setup.providers.limits();
        let (metrics, options) = (setup.metrics.clone(), setup.gateway.clone());
        let degraded_roles = self.degraded_roles.subscribe();
        self.roles.start(ProcessRole::Gateway, self.stop.clone(), move |stop| {
            let gateway = Gateway {
                log: log.clone(),
                issuer: issuer.clone(),
                read_pool: read_pool.clone(),
                engine_pool: engine_pool.clone(),
                storage: storage.clone(),
                vault: Arc::clone(&vault),
                own_providers: configured.clone(),
                provider_limits: provider_limits.clone(),
                nats: Some(nats.clone()),
                nats_access: nats_access.clone(),
                metrics: metrics.clone(),
                projected: projected.clone(),
                troubles: degraded_roles.clone(),
                options: options.clone(),
            };
            let listener = Arc::clone(&listener);
            async move {
                let listener = listener.try_clone()?;
                listener.set_nonblocking(true)?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                luci_gateway::serve(gateway, listener, stop).await.map_err(std::io::Error::other)
            }
        });
        Ok(())
    }

    async fn connected(&mut self, setup: &Setup, user: BrokerUser) -> Result<async_nats::Client, BrokerError> {
        let client = connected(&setup.broker, user).await?;
        self.nats.get_or_insert_with(|| client.clone());
        Ok(client)
    }

    async fn engine(&mut self, setup: &Setup, issuer: &Issuer) -> Result<(), SystemError> {
        let nats = self.connected(setup, BrokerUser::Engine).await?;
        let tools = Tools {
            pool: self.pool.clone(),
            log: self.log.clone(),
            storage: setup.storage.clone(),
            providers: Providers::new(self.pool.clone(), Arc::clone(&setup.vault), setup.providers.clone())
                .map_err(SystemError::Providers)?,
        };
        let (options, issuer, log, kinds) =
            (setup.workers.clone(), issuer.clone(), self.log.clone(), luci_stages::bound(&tools));
        self.roles.start(ProcessRole::Engine, self.stop.clone(), move |stop| {
            worker::run(options.clone(), issuer.clone(), log.clone(), kinds.clone(), nats.clone(), stop)
        });
        Ok(())
    }

    fn projections(&mut self, setup: &Setup, projected: &watch::Sender<Position>) {
        let (log, pool, owner) = (self.log.clone(), self.fold_pool.clone(), setup.instance.clone());
        let projected = projected.clone();
        self.roles.start(ProcessRole::Projections, self.stop.clone(), move |stop| {
            let projector = Projector::new(log.clone(), pool.clone(), luci_projections::all(), owner.clone());
            let projected = projected.clone();
            async move {
                // A restarted projector has a new position channel; readers keep the first one.
                let forwarded = forward(projector.position(), projected);
                tokio::select! { ended = projector.run(stop) => ended, never = forwarded => match never {} }
            }
        });
    }

    async fn relay(&mut self, setup: &Setup) -> Result<(), SystemError> {
        let nats = self.connected(setup, BrokerUser::Relay).await?;
        let options = RelayOptions { evt: setup.evt.clone(), ..RelayOptions::owned_by(&setup.instance) };
        let log = self.log.clone();
        self.roles.start(ProcessRole::Relay, self.stop.clone(), move |stop| {
            relay::run(options.clone(), log.clone(), nats.clone(), stop)
        });
        Ok(())
    }

    async fn clock(&mut self, setup: &Setup, issuer: &Issuer) -> Result<(), SystemError> {
        let nats = self.connected(setup, BrokerUser::Clock).await?;
        let options = clock::ClockOptions {
            cleanups: vec![luci_stages::PROVIDER_UPLOADS],
            ..clock::ClockOptions::owned_by(&setup.instance)
        };
        let (issuer, log, mut sealing) = (issuer.clone(), self.log.clone(), setup.sealing.clone());
        let storage = setup.storage.clone();
        let probes = Probes::new(setup.providers.clone()).map_err(SystemError::Providers)?;
        let stored = StoredData::of(&setup.instance, storage.clone(), Arc::clone(&setup.vault));
        match &mut sealing {
            Some(options) => options.memory.broker = Some(SealStream::on(&nats)),
            None => tracing::warn!(instance = setup.instance, "log is not sealed: LUCI_SEAL_KEY is not set"),
        }
        self.roles.start(ProcessRole::Clock, self.stop.clone(), move |stop| {
            let side_stop = stop.child_token();
            let mut reactors = luci_stages::reactors(&issuer, &log, &storage, &probes);
            reactors.push(Box::new(LostBlocks::new(issuer.clone(), log.clone(), nats.clone(), SWEEP_INTERVAL)));
            let clock = clock::run(options.clone(), reactors, log.clone(), stop);
            let sealer =
                sealing.clone().map(|options| sealer::run(options, log.clone(), storage.clone(), side_stop.clone()));
            let keeper = stored.clone().keep(log.clone(), side_stop.clone());
            // When the clock fails, all are restarted.
            let clock = clock.inspect(move |_| side_stop.cancel());
            async move { tokio::join!(clock, OptionFuture::from(sealer), keeper).0 }
        });
        Ok(())
    }

    fn sender(&mut self, setup: &Setup) -> Result<(), SystemError> {
        let options = setup.sender.clone();
        let accounts = CarrierAccounts::new(setup.senders.clone(), setup.vault.clone(), options.call_timeout)
            .map_err(SystemError::Providers)?;
        let engine = (self.pool.clone(), self.log.clone(), setup.storage.clone());
        self.roles.start(ProcessRole::Sender, self.stop.clone(), move |stop| {
            sender::run(options.clone(), engine.clone(), accounts.clone(), stop)
        });
        Ok(())
    }

    fn monitor(&self, setup: &Setup) -> Result<(), SystemError> {
        let Some(listener) = &setup.monitor else { return Ok(()) };
        let readiness = Readiness {
            pool: self.pool.clone(),
            log: self.log.clone(),
            storage: setup.storage.clone(),
            nats: self.nats.clone(),
            degraded_roles: self.degraded_roles.subscribe(),
            stop: self.stop.clone(),
        };
        let monitor = Monitor { readiness, metrics: setup.metrics.clone() };
        monitored::serve(listener, monitor, self.monitor_stop.clone()).map_err(|error| sqlx::Error::Io(error).into())
    }

    /// Drains every role, then closes the pools.
    pub async fn stop(self) {
        self.stop.cancel();
        self.roles.drain(DRAIN_TIMEOUT).await;
        self.monitor_stop.cancel();
        for pool in [&self.read_pool, &self.write_pool, &self.fold_pool, &self.pool] {
            // A connection that hangs must not keep the process alive.
            let _ = tokio::time::timeout(Duration::from_secs(2), pool.close()).await;
        }
    }
}

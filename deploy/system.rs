//! LUCI in one process: the pools, the log, the broker and the store, and the roles that stand on them.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::connection::State;
use futures::{FutureExt as _, future::OptionFuture};
use luci_engine::{
    admin::vault::Vault,
    block::{BlockKind, Tools},
    broker, clock,
    issue::Issuer,
    provider::{Providers, ProvidersConfig},
    relay::{self, RelayOptions},
    sealer::{self, SealerOptions},
    sender::{self, Messengers, SenderOptions},
    storage::Storage,
    worker::{self, WorkerOptions},
};
use luci_gateway::{Gateway, Options};
use luci_projections::Projector;
use luci_schema::{
    Position,
    log::{Log, LogOptions},
    migrate::{self, Role as DatabaseRole},
};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::roles::{Role, RoleBoard, Roles};

/// What a process is started with.
pub struct Setup {
    pub database_url: SecretString,
    pub nats_url: SecretString,
    pub storage: Storage,
    /// The master key at work.
    pub vault: Arc<Vault>,
    /// With it, the clock's process also seals the log.
    pub sealing: Option<SealerOptions>,
    pub providers: ProvidersConfig,
    /// The stages that the engine works on: `luci_engine::blocks::all()`, or those of a test.
    pub kinds: Vec<Arc<dyn BlockKind>>,
    /// Where the gateway answers; bound by the caller, who knows what to say when the port is taken.
    pub listener: Option<std::net::TcpListener>,
    /// The name of this process among several. A restarted process of the same name takes its leases over at once, so
    /// two that run at the same time must differ.
    pub instance: String,
    pub roles: Vec<Role>,
    pub workers: WorkerOptions,
    pub sender: SenderOptions,
    pub gateway: Options,
    pub figures: PrometheusHandle,
}

/// A process at work.
pub struct System {
    pub log: Log,
    /// Role `luci_engine`.
    pub pool: PgPool,
    pub board: RoleBoard,
    roles: Roles,
    stop: CancellationToken,
    read_pool: PgPool,
    fold_pool: PgPool,
}

/// Why a process cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the log cannot be opened: {0}")]
    Log(#[from] luci_schema::log::LogError),
    #[error("the providers cannot be reached: {0}")]
    Providers(String),
    #[error(transparent)]
    Broker(#[from] broker::BrokerError),
}

/// Connections of one process; a Postgres of 100 carries three such processes.
const ENGINE_CONNECTIONS: u32 = 16;
const READ_CONNECTIONS: u32 = 8;
const FOLD_CONNECTIONS: u32 = 3;
/// Longer than a worker's own drain (10 s), shorter than systemd's patience (90 s).
const DRAIN: Duration = Duration::from_secs(20);
const FIRST_CONNECTION: Duration = Duration::from_millis(500);
const FIGURES_UPKEEP: Duration = Duration::from_secs(5);

impl System {
    /// Connects, opens the log and starts the roles; returns when all were begun. The database is migrated already.
    pub async fn start(setup: Setup) -> Result<Self, SystemError> {
        let url = setup.database_url.expose_secret();
        let (pool, read_pool, fold_pool) = tokio::try_join!(
            migrate::connect(url, DatabaseRole::Engine, ENGINE_CONNECTIONS),
            migrate::connect(url, DatabaseRole::Gateway, READ_CONNECTIONS),
            migrate::connect(url, DatabaseRole::Projector, FOLD_CONNECTIONS),
        )?;
        let log = Log::open(pool.clone(), LogOptions::default()).await?;
        let (stop, roles) = (CancellationToken::new(), Roles::default());
        let board = roles.board.clone();
        let mut system = Self { log, pool, board, roles, stop, read_pool, fold_pool };
        let issuer = Issuer::new(system.log.clone());
        let projected = watch::Sender::new(Position(0));
        for &role in &setup.roles {
            match role {
                Role::Gateway => system.gateway(&setup, &issuer, &projected).await?,
                Role::Engine => system.engine(&setup, &issuer).await?,
                Role::Projections => system.projections(&setup, &projected),
                Role::Relay => system.relay(&setup).await?,
                Role::Clock => system.clock(&setup, &issuer),
                Role::Sender => system.sender(&setup)?,
            }
        }
        system.upkeep(setup.figures);
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
        let nats = connected(&setup.nats_url, "luci gateway").await?;
        let projected = setup.roles.contains(&Role::Projections).then(|| projected.subscribe());
        let (log, issuer, storage) = (self.log.clone(), issuer.clone(), setup.storage.clone());
        let (read_pool, engine_pool) = (self.read_pool.clone(), self.pool.clone());
        let (vault, own_providers) = (setup.vault.clone(), setup.providers.configured());
        let (metrics, options, troubles) = (setup.figures.clone(), setup.gateway.clone(), self.board.subscribe());
        self.roles.start(Role::Gateway, self.stop.clone(), move |stop| {
            let gateway = Gateway {
                log: log.clone(),
                issuer: issuer.clone(),
                read_pool: read_pool.clone(),
                engine_pool: engine_pool.clone(),
                storage: storage.clone(),
                vault: Arc::clone(&vault),
                own_providers: own_providers.clone(),
                nats: Some(nats.clone()),
                metrics: metrics.clone(),
                projected: projected.clone(),
                troubles: troubles.clone(),
                options: options.clone(),
            };
            let listener = Arc::clone(&listener);
            async move {
                let listener = listener.try_clone()?;
                listener.set_nonblocking(true)?;
                luci_gateway::serve(gateway, tokio::net::TcpListener::from_std(listener)?, stop).await;
                Ok::<(), std::io::Error>(())
            }
        });
        Ok(())
    }

    async fn engine(&mut self, setup: &Setup, issuer: &Issuer) -> Result<(), SystemError> {
        let nats = connected(&setup.nats_url, "luci engine").await?;
        let tools = Tools {
            pool: self.pool.clone(),
            log: self.log.clone(),
            storage: setup.storage.clone(),
            providers: Providers::new(self.pool.clone(), Arc::clone(&setup.vault), setup.providers.clone())
                .map_err(SystemError::Providers)?,
        };
        let (options, issuer, kinds) = (setup.workers.clone(), issuer.clone(), setup.kinds.clone());
        self.roles.start(Role::Engine, self.stop.clone(), move |stop| {
            worker::run(options.clone(), issuer.clone(), tools.clone(), kinds.clone(), nats.clone(), stop)
        });
        Ok(())
    }

    fn projections(&mut self, setup: &Setup, projected: &watch::Sender<Position>) {
        let (log, pool, owner) = (self.log.clone(), self.fold_pool.clone(), setup.instance.clone());
        let projected = projected.clone();
        self.roles.start(Role::Projections, self.stop.clone(), move |stop| {
            let projector = Projector::new(log.clone(), pool.clone(), owner.clone());
            let projected = projected.clone();
            async move {
                // A projector that is begun again has a position of its own; readers keep theirs.
                let told = tell(projector.position(), projected);
                tokio::select! { ended = projector.run(stop) => ended, never = told => match never {} }
            }
        });
    }

    async fn relay(&mut self, setup: &Setup) -> Result<(), SystemError> {
        let nats = connected(&setup.nats_url, "luci relay").await?;
        let (options, log) = (RelayOptions::owned_by(&setup.instance), self.log.clone());
        self.roles.start(Role::Relay, self.stop.clone(), move |stop| {
            relay::run(options.clone(), log.clone(), nats.clone(), stop)
        });
        Ok(())
    }

    fn clock(&mut self, setup: &Setup, issuer: &Issuer) {
        let options = clock::ClockOptions::owned_by(&setup.instance);
        let (issuer, log, storage) = (issuer.clone(), self.log.clone(), setup.storage.clone());
        let sealing = setup.sealing.clone();
        if sealing.is_none() {
            tracing::warn!("the log is not sealed: LUCI_SEAL_KEY names no key");
        }
        self.roles.start(Role::Clock, self.stop.clone(), move |stop| {
            let until = stop.child_token();
            let clock = clock::run(options.clone(), issuer.clone(), (log.clone(), storage.clone()), stop);
            let sealer = sealing.clone().map(|of| sealer::run(of, log.clone(), storage.clone(), until.clone()));
            // A clock that breaks is begun again, and the sealer with it.
            let clock = clock.inspect(move |_| until.cancel());
            async move { tokio::join!(clock, OptionFuture::from(sealer)).0 }
        });
    }

    fn sender(&mut self, setup: &Setup) -> Result<(), SystemError> {
        let options = setup.sender.clone();
        let messengers = Messengers::new(setup.providers.senders.clone(), setup.vault.clone(), options.call_timeout);
        let (messengers, pool) = (messengers.map_err(SystemError::Providers)?, self.pool.clone());
        self.roles.start(Role::Sender, self.stop.clone(), move |stop| {
            sender::run(options.clone(), pool.clone(), messengers.clone(), stop)
        });
        Ok(())
    }

    /// Without a listener of its own, the exporter must be told to forget old samples.
    fn upkeep(&self, figures: PrometheusHandle) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                figures.run_upkeep();
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(FIGURES_UPKEEP) => {}
                }
            }
        });
    }

    /// Lets every role finish what it has in hand, then closes the pools.
    pub async fn stop(self) {
        self.stop.cancel();
        self.roles.drain(DRAIN).await;
        for pool in [&self.read_pool, &self.fold_pool, &self.pool] {
            // A connection that hangs must not keep the process from ending.
            let _cut = tokio::time::timeout(Duration::from_secs(2), pool.close()).await;
        }
    }
}

/// A client of the broker. The first connection is made in the background; it is waited for a moment, so that roles do
/// not begin with a complaint, and not longer, since everything but publishing goes on without a broker.
async fn connected(url: &SecretString, name: &str) -> Result<async_nats::Client, broker::BrokerError> {
    let client = broker::connect(url.expose_secret(), name).await?;
    let until = Instant::now() + FIRST_CONNECTION;
    while client.connection_state() != State::Connected && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(client)
}

/// Passes positions on for ever.
async fn tell(mut from: watch::Receiver<Position>, to: watch::Sender<Position>) -> Infallible {
    while from.changed().await.is_ok() {
        to.send_replace(*from.borrow_and_update());
    }
    std::future::pending().await
}

//! The HTTP API: commands to the engine, queries on the projections, live streams, and the dashboard.
//!
//! It contains no SQL. The tenant of a request comes from its credential (`caller`), every endpoint is a line of
//! `routes::ROUTES`, every error response is a `Problem`.

mod body_drain;
pub mod caller;
pub mod connection;
mod early_response;
pub mod heavy_reads;
pub mod idempotency;
mod json_body;
pub mod live;
pub mod monitor;
pub mod nats_access;
pub mod problem;
mod rate_limit;
pub mod readiness;
pub mod reads;
mod reply;
pub mod request;
pub mod routes;
mod run_past;
mod run_pinned;
mod run_version;
mod run_waits;
mod security_headers;
pub mod serve;
pub mod tls;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::OptionFuture;
use luci_config::vault::Vault;
use luci_leads::failed_leads::FailedLeads;
use luci_messaging::carriers::{CarrierAccounts, SendersConfig};
use luci_providers::{ProviderName, descriptor::Limits};
use luci_runs::issue::Issuer;
use luci_schema::{
    Micros, Position, TenantId,
    log::{Log, Snapshots},
};
use luci_storage::Storage;
use metrics_exporter_prometheus::PrometheusHandle;
pub use rate_limit::{Proxies, Rate, RateLimitOptions};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the gateway needs from its process.
pub struct Gateway {
    pub log: Log,
    pub issuer: Issuer,
    /// Role `luci_gateway`: row security applies.
    pub read_pool: PgPool,
    /// Role `luci_engine`: configuration and credentials.
    pub engine_pool: PgPool,
    pub storage: Storage,
    pub vault: Arc<Vault>,
    /// Providers for which the installation has a credential.
    pub own_providers: Vec<ProviderName>,
    /// The limits of the installation's credentials.
    pub provider_limits: BTreeMap<ProviderName, Limits>,
    pub nats: Option<async_nats::Client>,
    /// `None`: NATS does not ask about clients, and tenants get no credentials for it.
    pub nats_access: Option<nats_access::NatsAccess>,
    pub metrics: PrometheusHandle,
    /// The committed position of the projector in this process. Without one, the checkpoint in the database is polled.
    pub projected: Option<watch::Receiver<Position>>,
    /// Roles of this process that failed and wait for their restart, each with the error; shown by `/readyz`.
    pub troubles: watch::Receiver<Vec<(&'static str, String)>>,
    pub options: Options,
}

/// Limits and timeouts of the gateway.
#[derive(Debug, Clone)]
pub struct Options {
    /// Open connections, WebSockets included. Further ones wait in the backlog of the kernel.
    pub max_connections: usize,
    /// Time limit for the head of a request, for an idle connection, and for the first request of a connection.
    pub header_timeout: Duration,
    /// How long a body may keep its reader waiting; longer ones must arrive at 8 KiB a second.
    pub body_timeout: Duration,
    /// A client that reads nothing for this long is disconnected.
    pub write_timeout: Duration,
    pub rate_limits: RateLimitOptions,
    /// The proxies before the gateway: whose address counts.
    pub proxies: Proxies,
    /// The size limit of an upload, in bytes.
    pub upload_limit: u64,
    /// The tenant that may read what the older platform left in the store (`LUCI_LEGACY_TENANT`).
    pub legacy_tenant: Option<TenantId>,
    /// How long a read waits for the required position.
    pub read_timeout: Duration,
    /// Interval between heartbeats of a stream.
    pub heartbeat: Duration,
    /// The gateway's URL as callers see it.
    pub public_url: Option<String>,
    /// Whether callers connect over TLS, to the gateway or to a proxy before it; cookies are `Secure` then.
    pub tls: bool,
    /// With a certificate, the gateway itself speaks TLS, and nothing else.
    pub certificate: Option<Arc<tls::Certificate>>,
    /// The senders of the installation: the secret that Twilio signs with, and the URL that it calls.
    pub senders: SendersConfig,
    /// Providers and carriers are simulated; answers say so.
    pub sandbox: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            rate_limits: RateLimitOptions::default(),
            proxies: Proxies::None,
            upload_limit: Storage::UPLOAD_MAX_BYTES,
            legacy_tenant: None,
            read_timeout: Duration::from_secs(2),
            heartbeat: Duration::from_secs(5),
            public_url: None,
            tls: false,
            certificate: None,
            senders: SendersConfig::default(),
            sandbox: false,
        }
    }
}

/// The state that every handler can use.
pub struct App {
    pub log: Log,
    pub issuer: Issuer,
    pub failed_leads: FailedLeads,
    pub heavy_reads: heavy_reads::HeavyReads,
    pub snapshots: Snapshots,
    /// To ask whose a number is.
    pub carriers: Arc<CarrierAccounts>,
    pub read_pool: PgPool,
    pub engine_pool: PgPool,
    pub storage: Storage,
    pub vault: Arc<Vault>,
    pub own_providers: Vec<ProviderName>,
    pub provider_limits: BTreeMap<ProviderName, Limits>,
    pub nats: Option<async_nats::Client>,
    pub nats_access: Option<nats_access::NatsAccess>,
    nats_keys: nats_access::NatsKeys,
    pub metrics: PrometheusHandle,
    pub projected: Option<watch::Receiver<Position>>,
    pub readiness: readiness::Readiness,
    pub options: Options,
    pub hub: Arc<live::Hub>,
    pub callers: caller::Callers,
    rate_limits: rate_limit::RateLimits,
    security_headers: security_headers::SecurityHeaders,
    /// Open streams; shutdown waits for them.
    pub streams: TaskTracker,
    pub stop: CancellationToken,
    pub started_at: Micros,
}

impl App {
    /// Fails when the HTTP client for carriers or the keys for NATS cannot be made.
    pub fn new(gateway: Gateway, stop: CancellationToken) -> Result<Arc<Self>, String> {
        let head = gateway.log.head();
        let carriers =
            CarrierAccounts::new(gateway.options.senders.clone(), Arc::clone(&gateway.vault), CARRIER_TIMEOUT)?;
        let nats_keys = nats_access::NatsKeys::new(&gateway.vault).map_err(|error| error.to_string())?;
        let readiness = readiness::Readiness {
            pool: gateway.engine_pool.clone(),
            log: gateway.log.clone(),
            storage: gateway.storage.clone(),
            nats: gateway.nats.clone(),
            degraded_roles: gateway.troubles,
            stop: stop.clone(),
        };
        Ok(Arc::new(Self {
            carriers,
            hub: live::Hub::starting_at(head),
            callers: caller::Callers::new(gateway.engine_pool.clone(), gateway.options.public_url.as_deref()),
            rate_limits: rate_limit::RateLimits::new(&gateway.options.rate_limits, gateway.options.proxies),
            security_headers: security_headers::SecurityHeaders { tls: gateway.options.tls },
            streams: TaskTracker::new(),
            stop,
            started_at: Micros::now(),
            failed_leads: FailedLeads::new(gateway.log.clone()),
            heavy_reads: heavy_reads::HeavyReads::default(),
            snapshots: Snapshots::new(gateway.vault.snapshot_key().expose_secret()),
            log: gateway.log,
            issuer: gateway.issuer,
            read_pool: gateway.read_pool,
            engine_pool: gateway.engine_pool,
            storage: gateway.storage,
            vault: gateway.vault,
            own_providers: gateway.own_providers,
            provider_limits: gateway.provider_limits,
            nats_keys,
            nats: gateway.nats,
            nats_access: gateway.nats_access,
            metrics: gateway.metrics,
            projected: gateway.projected,
            readiness,
            options: gateway.options,
        }))
    }
}

/// Serves `listener` until `stop`, then drains requests and streams (5 s at most).
///
/// # Errors
/// As `App::new`.
pub async fn serve(gateway: Gateway, listener: TcpListener, stop: CancellationToken) -> Result<(), String> {
    let app = App::new(gateway, stop.clone())?;
    let stop_feed = CancellationToken::new();
    let feed =
        tokio::spawn(live::feed::run(Arc::clone(&app.hub), app.log.clone(), app.nats.clone(), stop_feed.clone()));
    let access = app.nats_access.clone().map(|access| nats_access::run(Arc::clone(&app), access, stop_feed.clone()));
    let access = access.map(tokio::spawn);
    serve::run(app, listener, stop).await;
    stop_feed.cancel();
    if let Some(Err(error)) = OptionFuture::from(access).await {
        tracing::error!(%error, "auth callout of NATS panicked");
    }
    if let Err(error) = feed.await {
        tracing::error!(%error, "stream feed panicked");
    }
    Ok(())
}

/// How long a carrier may take to say whose a number is.
const CARRIER_TIMEOUT: Duration = Duration::from_secs(10);

//! The HTTP face: commands to the left, questions to the right, and what happens as it happens.
//!
//! No SQL lives here. The tenant of a request comes from its credential (`caller`), every address is a line of
//! `routes::ROUTES`, every refusal a `Problem`.

pub mod ask;
pub mod caller;
pub mod idempotency;
mod lead_row;
mod lent;
pub mod live;
pub mod problem;
pub mod reads;
pub mod routes;
pub mod serve;
mod waiting;

use std::{sync::Arc, time::Duration};

use luci_engine::{
    admin::vault::Vault, failed_leads::FailedLeads, issue::Issuer, provider::ProviderName, sender::SendersConfig,
    storage::Storage,
};
use luci_schema::{Micros, Position, log::Log};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the gateway needs from the process it runs in.
pub struct Gateway {
    pub log: Log,
    pub issuer: Issuer,
    /// Role `luci_gateway`: row security applies.
    pub read_pool: PgPool,
    /// Role `luci_engine`: configuration and credentials.
    pub engine_pool: PgPool,
    pub storage: Storage,
    pub vault: Arc<Vault>,
    /// Providers that this installation has a credential of its own for.
    pub own_providers: Vec<ProviderName>,
    pub nats: Option<async_nats::Client>,
    pub metrics: PrometheusHandle,
    /// The projector's committed position, when it runs in this process; otherwise it is read from its checkpoint.
    pub projected: Option<watch::Receiver<Position>>,
    /// Roles of this process that do not work now, each with the reason; readiness tells of them.
    pub troubles: watch::Receiver<Vec<(&'static str, String)>>,
    pub options: Options,
}

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at once, WebSockets included; more wait in the kernel's queue.
    pub max_connections: usize,
    /// How long a client may take to send its request head, how long an idle connection is kept, and how long one is
    /// on which nothing was asked yet.
    pub head_patience: Duration,
    /// The largest upload in bytes.
    pub upload_limit: u64,
    /// How long a read waits for the position it was asked for.
    pub read_patience: Duration,
    /// Pause between heartbeats of a stream.
    pub heartbeat: Duration,
    /// Whether callers reach us over TLS: cookies are marked Secure then.
    pub tls: bool,
    /// The installation's senders: what Twilio signs with, and the address that it calls.
    pub senders: SendersConfig,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            head_patience: Duration::from_secs(30),
            upload_limit: Storage::UPLOAD_MAX_BYTES,
            read_patience: Duration::from_secs(2),
            heartbeat: Duration::from_secs(5),
            tls: false,
            senders: SendersConfig::default(),
        }
    }
}

/// The gateway at work: what every handler may use.
pub struct App {
    pub log: Log,
    pub issuer: Issuer,
    pub failed_leads: FailedLeads,
    pub read_pool: PgPool,
    pub engine_pool: PgPool,
    pub storage: Storage,
    pub vault: Arc<Vault>,
    pub own_providers: Vec<ProviderName>,
    pub nats: Option<async_nats::Client>,
    pub metrics: PrometheusHandle,
    pub projected: Option<watch::Receiver<Position>>,
    pub troubles: watch::Receiver<Vec<(&'static str, String)>>,
    pub options: Options,
    pub hub: Arc<live::Hub>,
    pub callers: caller::Callers,
    /// Open streams, so that the end can wait for them.
    pub streams: TaskTracker,
    pub stop: CancellationToken,
    pub started_at: Micros,
}

impl App {
    pub fn new(gateway: Gateway, stop: CancellationToken) -> Arc<Self> {
        let head = gateway.log.head();
        Arc::new(Self {
            hub: live::Hub::starting_at(head),
            callers: caller::Callers::new(gateway.engine_pool.clone()),
            streams: TaskTracker::new(),
            stop,
            started_at: Micros::now(),
            failed_leads: FailedLeads::new(gateway.log.clone()),
            log: gateway.log,
            issuer: gateway.issuer,
            read_pool: gateway.read_pool,
            engine_pool: gateway.engine_pool,
            storage: gateway.storage,
            vault: gateway.vault,
            own_providers: gateway.own_providers,
            nats: gateway.nats,
            metrics: gateway.metrics,
            projected: gateway.projected,
            troubles: gateway.troubles,
            options: gateway.options,
        })
    }
}

/// Answers on `listener` until `stop`, then lets requests and streams end (5 s at most).
pub async fn serve(gateway: Gateway, listener: TcpListener, stop: CancellationToken) {
    let app = App::new(gateway, stop.clone());
    let feeding = CancellationToken::new();
    let feed = tokio::spawn(live::feed::run(Arc::clone(&app.hub), app.log.clone(), app.nats.clone(), feeding.clone()));
    serve::run(app, listener, stop).await;
    feeding.cancel();
    if let Err(error) = feed.await {
        tracing::error!(%error, "the feed of the streams ended badly");
    }
}

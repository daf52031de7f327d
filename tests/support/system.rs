//! The whole of LUCI in this process: every role, on port 0, on a database and a broker of its own.

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use luci::{
    broker::BrokerAccess,
    process::{ProcessRole, Setup, System as Running},
};
use luci_config::{tenants, vault::Vault};
use luci_leads::commands::sectors;
use luci_messaging::carriers::SendersConfig;
use luci_messaging::sender::SenderOptions;
use luci_providers::{Probes, ProvidersConfig};
use luci_runs::{sealer::SealerOptions, worker::WorkerOptions};
use luci_sandbox::Carriers;
use luci_schema::{RunId, TenantId, seal::SealKey};
use luci_storage::Storage;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret;

use super::{
    api::Api,
    database::{Database, database},
    nats::{Nats, nats},
    servers::temp_dir,
};

/// What a test can change.
pub struct SystemOptions {
    pub roles: Vec<ProcessRole>,
    pub providers: ProvidersConfig,
    pub senders: SendersConfig,
    pub workers: WorkerOptions,
    pub sender: SenderOptions,
    pub gateway: luci_gateway::Options,
    /// Whether the gateway has accounts at the carriers of a sandbox, where the test has none.
    pub sandbox_accounts: bool,
    /// Between two seals.
    pub seal_every: Duration,
    /// The broker, if not one of the system's own.
    pub broker: Option<BrokerAccess>,
    /// The store, if not a folder of the system's own.
    pub storage: Option<Storage>,
}

impl Default for SystemOptions {
    fn default() -> Self {
        Self {
            roles: ProcessRole::ALL.to_vec(),
            // Keys without a provider behind them: what a test does not start itself does not answer.
            providers: ProvidersConfig::all_at("http://127.0.0.1:9", "key of a test"),
            senders: SendersConfig::default(),
            workers: WorkerOptions::default(),
            sender: SenderOptions::default(),
            gateway: luci_gateway::Options::default(),
            sandbox_accounts: true,
            seal_every: Duration::from_secs(60),
            broker: None,
            storage: None,
        }
    }
}

/// A running system with one tenant and its owner's key.
pub struct System {
    pub api: Api,
    pub tenant: TenantId,
    pub storage: Storage,
    /// The folder of its store.
    pub objects: PathBuf,
    pub database: Database,
    pub nats: Nats,
    pub running: Running,
    /// What the gateway asks whose a number is, unless the test has carriers of its own.
    _carriers: Option<Carriers>,
}

/// The master key of every test's installation.
pub const MASTER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// The vault of every test's installation.
pub fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(&MASTER_KEY.into()).expect("a master key"))
}

/// The key that seals each test's log.
pub fn seal_key() -> Arc<SealKey> {
    static PEM: OnceLock<String> = OnceLock::new();
    let pem = PEM.get_or_init(|| SealKey::generate_pem().expect("random bytes"));
    Arc::new(SealKey::from_pem(pem).expect("a key"))
}

/// Starts a system; with every role unless the options say otherwise.
pub async fn system_with(mut options: SystemOptions) -> System {
    let _first_wins = rustls::crypto::ring::default_provider().install_default();
    let carriers = carriers(&mut options).await;
    let (database, nats) = tokio::join!(database(), nats());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let objects = temp_dir("objects");
    let folder = || Storage::local(objects.clone(), "signing key of a test".to_owned().into(), url.clone());
    let storage = options.storage.take().unwrap_or_else(|| folder().expect("a store"));
    let instance = RunId::generate().to_string();
    let sealing = SealerOptions { every: options.seal_every, ..SealerOptions::owned_by(&instance, seal_key()) };
    let setup = Setup {
        database_url: database.url().to_owned().into(),
        broker: options.broker.unwrap_or_else(|| nats.access()),
        evt: Default::default(),
        storage: storage.clone(),
        vault: vault(),
        sealing: Some(sealing),
        providers: ProvidersConfig { callback_url: Some(url.clone()), ..options.providers },
        senders: options.senders,
        listener: Some(listener),
        monitor: None,
        instance,
        roles: options.roles,
        workers: options.workers,
        sender: options.sender,
        gateway: options.gateway,
        metrics: figures(),
    };
    let running = Running::start(setup).await.expect("a system");
    let founded = tenants::create(&running.log, "Test", "test", sectors::seed_new_tenant).await.expect("a tenant");
    let api = Api::new(url, founded.key.secret.expose_secret());
    System { api, tenant: founded.tenant, storage, objects, database, nats, running, _carriers: carriers }
}

/// The gateway has the accounts of the sender; without any, those of a sandbox.
async fn carriers(options: &mut SystemOptions) -> Option<Carriers> {
    let asked = &mut options.gateway.senders;
    let SendersConfig { signalhouse, twilio, .. } = options.senders.clone();
    (asked.signalhouse, asked.twilio) = (asked.signalhouse.take().or(signalhouse), asked.twilio.take().or(twilio));
    if !options.sandbox_accounts || (asked.signalhouse.is_some() && asked.twilio.is_some()) {
        return None;
    }
    let listen = "127.0.0.1:0".parse().expect("an address");
    let carriers = Carriers::start(listen, Duration::ZERO).await.expect("carriers");
    let SendersConfig { signalhouse, twilio, .. } = luci::cli::sandbox::senders(&carriers);
    (asked.signalhouse, asked.twilio) = (asked.signalhouse.take().or(signalhouse), asked.twilio.take().or(twilio));
    Some(carriers)
}

impl System {
    /// Another tenant of the same system, and its owner's key.
    pub async fn other_tenant(&self, slug: &str) -> (TenantId, Api) {
        let founded = tenants::create(&self.running.log, slug, slug, sectors::seed_new_tenant).await.expect("a tenant");
        (founded.tenant, Api::new(self.api.url.clone(), founded.key.secret.expose_secret()))
    }

    /// Drains and ends every role; the database and the broker stay until the value goes.
    pub async fn stop(self) -> (Database, Nats) {
        self.running.stop().await;
        (self.database, self.nats)
    }
}

/// Probes of providers that do not answer.
pub fn probes() -> Probes {
    let _first_wins = rustls::crypto::ring::default_provider().install_default();
    Probes::new(SystemOptions::default().providers).expect("a client")
}

/// One recorder a process, as in production; the metrics of all its systems go there.
fn figures() -> PrometheusHandle {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    FIGURES.get_or_init(|| luci::process::telemetry::init_metrics().expect("the first recorder")).clone()
}

//! An instance in a data folder: its servers, its tables, its first tenant, and every role in this process.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use luci_config::{AdminError, By, Role as CallerRole, actors, keys, tenants, vault::Vault};
use luci_leads::commands::sectors;
use luci_runs::{seal_memory::SealMemory, sealer::SealerOptions};
use luci_schema::{TenantId, log::Log, migrate};
use luci_storage::Storage;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Credentials, Folder, InstanceFile, Servers,
    instance_file::{master_key, seal_key},
};
use crate::{
    broker::{BrokerUser, Passwords},
    config::{Config, StoreAddress},
    process::{
        ProcessRole, Setup, System,
        from_config::{
            STORE_URL_KEY, configured_seal_key, gateway_options, providers, public_url, seal_bucket, seal_witness,
        },
        keys::derive_key,
        telemetry,
    },
};

/// A running instance.
pub struct LocalInstance {
    pub url: String,
    pub credentials: Credentials,
    pub system: System,
    supervisor: JoinHandle<(Servers, Folder)>,
    stop: CancellationToken,
}

/// The default port; a free one is used when it is taken.
const DEFAULT_PORT: u16 = 8_080;

impl LocalInstance {
    /// Starts everything. In a new folder, a tenant named `slug` is created.
    pub async fn start(config: &Config, slug: &str, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let folder = Folder::open(&config.data_dir)?;
        if let Some(notice) = folder.notice() {
            telemetry::notice(notice);
        }
        let listener = listener(config)?;
        let url = public_url(config, Some(&listener))?;
        let master = config.master_key.clone().map_or_else(|| master_key(&folder.path), Ok)?;
        let vault = Arc::new(Vault::new(&master)?);
        let passwords = Passwords::new(&vault).context("cannot derive the passwords of NATS")?;
        let servers = Servers::start(config, &folder, passwords).await?;
        match Self::start_process(config, slug, metrics, &folder, &servers, listener, &url, &master, vault).await {
            Ok((system, credentials)) => {
                let stop = CancellationToken::new();
                let supervisor = tokio::spawn(servers.supervise(config.search.clone(), folder, stop.clone()));
                Ok(Self { url, credentials, system, supervisor, stop })
            }
            Err(error) => {
                servers.stop().await;
                Err(error)
            }
        }
    }

    #[expect(clippy::too_many_arguments)]
    async fn start_process(
        config: &Config,
        slug: &str,
        metrics: PrometheusHandle,
        folder: &Folder,
        servers: &Servers,
        listener: TcpListener,
        url: &str,
        master: &SecretString,
        vault: Arc<Vault>,
    ) -> anyhow::Result<(System, Credentials)> {
        migrate_database(&servers.database_url).await?;
        let (store, storage) = store(config, folder, url, master)?;
        // Only one process can lock the folder, so after a crash the next one may take the leases over at once.
        let instance = config.instance.clone().unwrap_or_else(|| format!("home {}", folder.path.display()));
        let seal_key = match &config.seal_key {
            Some(path) => configured_seal_key(path)?,
            None => seal_key(&folder.path).context("cannot use seal.key of the data folder")?,
        };
        let setup = Setup {
            database_url: servers.database_url.clone(),
            broker: servers.broker.clone(),
            evt: config.nats.evt.clone(),
            storage,
            vault,
            sealing: Some(SealerOptions {
                memory: SealMemory { file: Some(seal_witness(config)), broker: None, bucket: seal_bucket(config)? },
                ..SealerOptions::owned_by(&instance, Arc::new(seal_key))
            }),
            providers: providers(config, Some(&listener)),
            senders: config.senders.clone(),
            listener: Some(listener),
            monitor: None,
            instance,
            roles: ProcessRole::ALL.to_vec(),
            workers: Default::default(),
            sender: Default::default(),
            gateway: gateway_options(config)?,
            metrics,
        };
        let system = System::start(setup).await?;
        let credentials = first_tenant(&system.log, &folder.path, slug).await?;
        seed_sectors(&system.log, credentials.tenant_id).await?;
        let private = servers.private();
        let nats_url = |user| servers.broker.url(user).expose_secret().to_owned();
        let clients = servers.broker.clients.as_ref().filter(|_| private.nats);
        let file = InstanceFile {
            pid: std::process::id(),
            url: url.to_owned(),
            database_url: servers.database_url.expose_secret().to_owned(),
            nats_url: nats_url(BrokerUser::Operator),
            nats_reader_url: private.nats.then(|| nats_url(BrokerUser::Reader)),
            nats_web_socket_url: clients.and_then(|clients| clients.web_socket_url.clone()),
            store_url: store.url(),
            store: store.variables(),
            private,
        };
        file.write(&folder.path).context("cannot write to the data folder")?;
        Ok((system, credentials))
    }

    /// Drains the roles, then stops the private servers.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let supervised = self.supervisor.await;
        self.system.stop().await;
        let (servers, _folder) = supervised.context("the supervisor of the private servers panicked")?;
        servers.stop().await;
        Ok(())
    }
}

/// The configured address, which must be free; else the default port or, when it is taken, a free one.
fn listener(config: &Config) -> anyhow::Result<TcpListener> {
    if let Some(address) = config.listen {
        return TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address}; choose another --listen"));
    }
    let local = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    local(DEFAULT_PORT).or_else(|_taken| local(0)).context("cannot listen on any port of 127.0.0.1")
}

async fn migrate_database(database_url: &SecretString) -> anyhow::Result<()> {
    let options: PgConnectOptions = database_url.expose_secret().parse().context("cannot parse the database URL")?;
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let pool = migrate::connect_owner(database_url.expose_secret()).await;
    let pool = pool.with_context(|| format!("cannot connect to the database at {address}"))?;
    let applied = migrate::run(&pool).await?;
    pool.close().await;
    if !applied.is_empty() {
        tracing::info!(migrations = applied.len(), "migrations applied");
    }
    Ok(())
}

fn store(
    config: &Config,
    folder: &Folder,
    url: &str,
    master: &SecretString,
) -> anyhow::Result<(StoreAddress, Storage)> {
    let address = match &config.store {
        Some(address) => address.clone(),
        // Not again in a folder that was started before: its store vanished.
        None if folder.path.join("credentials.json").exists() => StoreAddress::Folder(folder.path.join("objects")),
        None => StoreAddress::Folder(folder.private_dir("objects")?),
    };
    let storage = match address.clone() {
        StoreAddress::Bucket(bucket) => Storage::s3(bucket)?,
        StoreAddress::Folder(folder) => Storage::local(folder, derive_key(master, STORE_URL_KEY), url.to_owned())?,
    };
    Ok((address, storage))
}

/// The tenant of this folder's credentials; a new one when there are none.
async fn first_tenant(log: &Log, data_dir: &Path, slug: &str) -> anyhow::Result<Credentials> {
    if let Some(credentials) = Credentials::read(data_dir, slug)? {
        return Ok(credentials);
    }
    let (tenant_id, key) = match tenants::create(log, slug, slug, sectors::seed_new_tenant).await {
        Ok(founded) => (founded.tenant, founded.key),
        // An earlier process created it and died before it wrote the key to the folder.
        Err(AdminError::Taken { .. }) => create_owner_key(log, slug).await?,
        Err(error) => return Err(error.into()),
    };
    let credentials =
        Credentials { tenant_id, tenant: slug.to_owned(), api_key: key.secret.expose_secret().to_owned() };
    credentials.write(data_dir)?;
    Ok(credentials)
}

/// Creates the default sectors; a tenant of an older release lacks them.
async fn seed_sectors(log: &Log, tenant: TenantId) -> anyhow::Result<()> {
    let mut tx = log.pool().begin().await?;
    sectors::seed(&mut tx, tenant, log, &By::system()).await?;
    tx.commit().await?;
    log.wake();
    Ok(())
}

async fn create_owner_key(log: &Log, slug: &str) -> anyhow::Result<(TenantId, keys::IssuedKey)> {
    let mut tx = log.pool().begin().await?;
    let tenant = tenants::by_slug(&mut tx, slug).await?.with_context(|| format!("no tenant has slug `{slug}`"))?;
    let owner = actors::first(&mut tx, tenant, actors::ActorKind::Person).await?;
    let owner = owner.with_context(|| format!("tenant {tenant} has no owner"))?;
    let new = keys::NewKey {
        actor: owner,
        name: "owner".to_owned(),
        role: CallerRole::Owner,
        scopes: Vec::new(),
        expires_at: None,
    };
    let key = keys::create(&mut tx, tenant, log, &new, &By::system(), |_| None).await?;
    tx.commit().await?;
    log.wake();
    Ok((tenant, key))
}

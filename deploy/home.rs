//! An instance at home in its data folder: the servers, the tables, the first tenant, every role; found again after a crash.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use luci_engine::{
    admin::{AdminError, By, Role as CallerRole, actors, keys, sectors, tenants, vault::Vault},
    blocks,
    sealer::SealerOptions,
    storage::Storage,
};
use luci_schema::{TenantId, log::Log, migrate};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::serve::{BLOB_KEY, configured_seal_key, gateway_options, providers, public_url},
    config::{Config, StoreAddress},
    instance::{Credentials, Instance, derived, master_key, own_seal_key},
    local::Folder,
    roles::Role,
    servers::Servers,
    system::{Setup, System},
    telemetry,
};

/// An instance at work.
pub struct Home {
    pub url: String,
    pub credentials: Credentials,
    pub system: System,
    keeper: JoinHandle<(Servers, Folder)>,
    stop: CancellationToken,
}

/// The port people expect; another one is taken when somebody else has it.
const PORT: u16 = 8_080;

impl Home {
    /// Starts everything. `slug` names the tenant that an empty folder gets.
    pub async fn start(config: &Config, slug: &str, figures: PrometheusHandle) -> anyhow::Result<Self> {
        let folder = Folder::open(&config.data_dir)?;
        if let Some(notice) = folder.notice() {
            telemetry::tell(notice);
        }
        let listener = listener(config)?;
        let url = public_url(config, Some(&listener))?;
        let master = config.master_key.clone().map_or_else(|| master_key(&folder.path), Ok)?;
        let servers = Servers::start(config, &folder).await?;
        match Self::on(config, slug, figures, &folder, &servers, listener, &url, &master).await {
            Ok((system, credentials)) => {
                let stop = CancellationToken::new();
                let keeper = tokio::spawn(servers.keep(config.search.clone(), folder, stop.clone()));
                Ok(Self { url, credentials, system, keeper, stop })
            }
            Err(error) => {
                servers.stop().await;
                Err(error)
            }
        }
    }

    #[expect(clippy::too_many_arguments)]
    async fn on(
        config: &Config,
        slug: &str,
        figures: PrometheusHandle,
        folder: &Folder,
        servers: &Servers,
        listener: TcpListener,
        url: &str,
        master: &SecretString,
    ) -> anyhow::Result<(System, Credentials)> {
        migrated(&servers.database_url).await?;
        let (store, storage) = store(config, folder, url, master)?;
        // The folder has one holder, so its leases are taken over at once after a crash.
        let instance = config.instance.clone().unwrap_or_else(|| format!("home {}", folder.path.display()));
        let seal_key = match &config.seal_key {
            Some(path) => configured_seal_key(path)?,
            None => own_seal_key(&folder.path).context("the folder's seal.key cannot be used")?,
        };
        let setup = Setup {
            database_url: servers.database_url.clone(),
            nats_url: servers.nats_url.clone(),
            storage,
            vault: Arc::new(Vault::new(master)?),
            sealing: Some(SealerOptions::owned_by(&instance, Arc::new(seal_key))),
            providers: providers(config, Some(&listener)),
            kinds: blocks::all(),
            listener: Some(listener),
            instance,
            roles: Role::ALL.to_vec(),
            workers: Default::default(),
            sender: Default::default(),
            gateway: gateway_options(config),
            figures,
        };
        let system = System::start(setup).await?;
        let credentials = first_tenant(&system.log, &folder.path, slug).await?;
        seeded(&system.log, credentials.tenant_id).await?;
        let (database_url, nats_url) = servers.addresses();
        let (pid, own) = (std::process::id(), servers.own());
        let instance = Instance { pid, url: url.to_owned(), database_url, nats_url, store_url: store, own };
        instance.write(&folder.path).context("the data folder cannot be written")?;
        Ok((system, credentials))
    }

    /// Drains the roles, then stops the servers that are ours.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let kept = self.keeper.await;
        self.system.stop().await;
        let (servers, _folder) = kept.context("the keeper of the servers broke")?;
        servers.stop().await;
        Ok(())
    }
}

/// A port that was asked for must be free; the usual one may be taken.
fn listener(config: &Config) -> anyhow::Result<TcpListener> {
    if let Some(address) = config.listen {
        return TcpListener::bind(address)
            .with_context(|| format!("{address} cannot be listened on; name another --listen"));
    }
    let local = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    local(PORT).or_else(|_taken| local(0)).context("no port of 127.0.0.1 can be listened on")
}

async fn migrated(database_url: &SecretString) -> anyhow::Result<()> {
    let options: PgConnectOptions = database_url.expose_secret().parse().context("the database's address")?;
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let pool = migrate::connect_owner(database_url.expose_secret()).await;
    let pool = pool.with_context(|| format!("the database at {place} cannot be reached"))?;
    let done = migrate::run(&pool).await?;
    pool.close().await;
    if !done.is_empty() {
        tracing::info!(migrations = done.len(), "the database is up to date");
    }
    Ok(())
}

fn store(config: &Config, folder: &Folder, url: &str, master: &SecretString) -> anyhow::Result<(String, Storage)> {
    let address = match &config.store {
        Some(address) => address.clone(),
        None => StoreAddress::Folder(folder.own_room("objects")?),
    };
    let storage = match address.clone() {
        StoreAddress::Bucket(bucket) => Storage::s3(bucket)?,
        StoreAddress::Folder(folder) => Storage::local(folder, derived(master, BLOB_KEY), url.to_owned())?,
    };
    Ok((address.url(), storage))
}

/// The tenant that this folder's credentials name, made when there is none.
async fn first_tenant(log: &Log, data_dir: &Path, slug: &str) -> anyhow::Result<Credentials> {
    if let Some(credentials) = Credentials::read(data_dir, slug)? {
        return Ok(credentials);
    }
    let made = match tenants::found(log, slug, slug).await {
        Ok(founded) => (founded.tenant, founded.key),
        // It was made, and then the process died before the key was written down: the owner gets another one.
        Err(AdminError::Taken { .. }) => another_key(log, slug).await?,
        Err(error) => return Err(error.into()),
    };
    let (tenant_id, key) = made;
    let credentials =
        Credentials { tenant_id, tenant: slug.to_owned(), api_key: key.secret.expose_secret().to_owned() };
    credentials.write(data_dir)?;
    Ok(credentials)
}

/// A tenant of an older release gets the default sectors.
async fn seeded(log: &Log, tenant: TenantId) -> anyhow::Result<()> {
    let mut tx = log.pool().begin().await?;
    sectors::seed(&mut tx, tenant, log, &By::system()).await?;
    tx.commit().await?;
    log.wake();
    Ok(())
}

async fn another_key(log: &Log, slug: &str) -> anyhow::Result<(TenantId, keys::IssuedKey)> {
    let mut tx = log.pool().begin().await?;
    let tenant = tenants::by_slug(&mut tx, slug).await?.context("the tenant went away")?;
    let owner = actors::first(&mut tx, tenant, actors::ActorKind::Person).await?;
    let owner = owner.context("the tenant has no owner")?;
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

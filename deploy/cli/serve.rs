//! `luci serve ROLE…`: some roles, or all, against a shared Postgres, NATS and store. This is how LUCI grows past one machine.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroU64,
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use luci_engine::{admin::vault::Vault, blocks, provider::ProvidersConfig, sealer::SealerOptions, storage::Storage};
use luci_schema::{RunId, seal::SealKey};
use secrecy::ExposeSecret;

use super::{Outcome, out};
use crate::{
    config::{Config, Mistake, Mistakes, StoreAddress},
    instance::{derived, seal_key},
    roles::Role,
    system::{Setup, System},
    telemetry,
};

#[derive(Debug, Args)]
pub struct Serve {
    /// gateway, engine, projections, relay, clock, sender or all
    #[arg(required = true, value_name = "ROLE", value_parser = roles_of)]
    roles: Vec<Roles>,
    /// Where the gateway answers [env: LUCI_LISTEN] [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

type Roles = Vec<Role>;

fn roles_of(text: &str) -> Result<Roles, String> {
    if text == "all" {
        return Ok(Role::ALL.to_vec());
    }
    let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
    found.map(|role| vec![role]).ok_or_else(|| "gateway, engine, projections, relay, clock, sender or all".to_owned())
}

impl Serve {
    pub async fn run(self, config: Config) -> anyhow::Result<Outcome> {
        telemetry::log(&config.log, telemetry::USUAL);
        let mut signals = out::StopSignals::listen()?;
        let mut roles: Vec<Role> = self.roles.into_iter().flatten().collect();
        roles.sort_unstable();
        roles.dedup();
        let missing = |name, remedy| out::Missing { name, remedy };
        let database_url = config.database_url.clone();
        let database_url = database_url.ok_or(missing("LUCI_DATABASE_URL", "roles need a shared Postgres"))?;
        let nats_url = config.nats_url.clone().ok_or(missing("LUCI_NATS_URL", "roles need a shared NATS"))?;
        let listener = if roles.contains(&Role::Gateway) {
            let listen = self.listen.or(config.listen).unwrap_or((Ipv4Addr::UNSPECIFIED, 8_080).into());
            Some(TcpListener::bind(listen).with_context(|| format!("{listen} cannot be listened on"))?)
        } else {
            None
        };
        let remedy = "it wraps the keys that secrets are sealed with; the same for every process";
        let master = config.master_key.as_ref().ok_or(missing("LUCI_MASTER_KEY", remedy))?;
        let vault = Arc::new(Vault::new(master)?);
        let storage = shared_store(&config, listener.as_ref())?;
        let (store, address) = (format!("{storage:?}"), listener.as_ref().and_then(|l| l.local_addr().ok()));
        let instance = config.instance.clone().unwrap_or_else(|| RunId::generate().ulid().to_string());
        // Other processes need not be able to read it.
        let seal_key = config.seal_key.as_deref().filter(|_| roles.contains(&Role::Clock));
        let seal_key = seal_key.map(configured_seal_key).transpose()?;
        let setup = Setup {
            database_url,
            nats_url,
            storage,
            vault,
            sealing: seal_key.map(|key| SealerOptions::owned_by(&instance, Arc::new(key))),
            providers: providers(&config, listener.as_ref()),
            kinds: blocks::all(),
            listener,
            instance,
            workers: Default::default(),
            sender: Default::default(),
            gateway: gateway_options(&config),
            figures: telemetry::figures()?,
            roles,
        };
        let system = System::start(setup).await?;
        let address = address.map(|address| address.to_string());
        tracing::info!(store, listen = address, "serving");
        let signal = signals.told().await;
        tracing::info!(signal, "stopping");
        system.stop().await;
        Ok(Outcome::Done)
    }
}

/// Where outside providers are, and how they reach the gateway; a process that cannot know that hands no leads over.
pub fn providers(config: &Config, listener: Option<&TcpListener>) -> ProvidersConfig {
    ProvidersConfig { callback_url: public_url(config, listener).ok(), ..config.providers.clone() }
}

/// The key that seals the log, of the file that `LUCI_SEAL_KEY` names.
pub fn configured_seal_key(path: &Path) -> anyhow::Result<SealKey> {
    let mistake = |error| Mistake {
        variable: "LUCI_SEAL_KEY".to_owned(),
        problem: format!("{} cannot be used: {error}", path.display()),
    };
    Ok(seal_key(path).map_err(|error| Mistakes(vec![mistake(error)]))?)
}

/// What callers see decides whether cookies are for TLS only.
pub fn gateway_options(config: &Config) -> luci_gateway::Options {
    let tls = config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let usual = luci_gateway::Options::default();
    let upload_limit = config.upload_max_bytes.map_or(usual.upload_limit, NonZeroU64::get);
    luci_gateway::Options { tls, senders: config.providers.senders.clone(), upload_limit, ..usual }
}

/// The store all processes share. A local folder serves processes of one machine, and signs with the master key.
fn shared_store(config: &Config, listener: Option<&TcpListener>) -> anyhow::Result<Storage> {
    let missing = |name, remedy| out::Missing { name, remedy };
    match config.store.clone().ok_or(missing("LUCI_STORE_URL", "file:///folder or s3://bucket"))? {
        StoreAddress::Bucket(bucket) => Ok(Storage::s3(bucket)?),
        StoreAddress::Folder(folder) => {
            let remedy = "a local store signs its addresses with it; the same for every process";
            let master = config.master_key.as_ref().ok_or(missing("LUCI_MASTER_KEY", remedy))?;
            let public_url = public_url(config, listener)?;
            Ok(Storage::local(folder, derived(master, BLOB_KEY).expose_secret().into(), public_url)?)
        }
    }
}

/// The purpose of the key that signs the local store's addresses.
pub const BLOB_KEY: &str = "blob addresses";

/// The gateway's address as callers see it; a process without a gateway of its own must be told.
pub fn public_url(config: &Config, listener: Option<&TcpListener>) -> anyhow::Result<String> {
    if let Some(url) = &config.public_url {
        return Ok(url.clone());
    }
    let remedy = "a local store needs the gateway's address";
    let listener = listener.ok_or(out::Missing { name: "LUCI_PUBLIC_URL", remedy })?;
    let address = listener.local_addr()?;
    let host = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    Ok(format!("http://{}", SocketAddr::new(host, address.port())))
}

//! Builds from the configuration what a process needs: store, providers, gateway options, the key that seals the log.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroU64,
    path::Path,
    sync::Arc,
};

use luci_gateway::tls::{Certificate, TlsFiles};
use luci_providers::ProvidersConfig;
use luci_runs::{seal_bucket::SealBucket, seal_witness::SealWitness};
use luci_schema::seal::SealKey;
use luci_storage::Storage;
use secrecy::ExposeSecret;

use super::keys::{derive_key, read_seal_key};
use crate::config::{Config, ConfigError, ConfigErrors, MissingSetting, StoreAddress};

/// The outside providers, and the URL of the gateway for their callbacks. Without that URL no batch is submitted to a
/// provider that answers by callback.
pub fn providers(config: &Config, listener: Option<&TcpListener>) -> ProvidersConfig {
    ProvidersConfig { callback_url: public_url(config, listener).ok(), ..config.providers.clone() }
}

/// The key that seals the log, from the file that `LUCI_SEAL_KEY` names.
pub fn configured_seal_key(path: &Path) -> anyhow::Result<SealKey> {
    let invalid = |error| ConfigError {
        variable: "LUCI_SEAL_KEY".to_owned(),
        problem: format!("{} cannot be used: {error}", path.display()),
    };
    Ok(read_seal_key(path).map_err(|error| ConfigErrors(vec![invalid(error)]))?)
}

/// The gateway's limits, proxies, certificate and URL. Callers use TLS when the public URL is `https://`, or with a certificate.
pub fn gateway_options(config: &Config) -> anyhow::Result<luci_gateway::Options> {
    let defaults = luci_gateway::Options::default();
    Ok(luci_gateway::Options {
        tls: speaks_tls(config),
        certificate: config.edge.tls.clone().map(certificate).transpose()?,
        public_url: config.public_url.clone(),
        rate_limits: config.edge.rate_limits,
        proxies: config.edge.proxies,
        senders: config.senders.clone(),
        sandbox: config.sandbox,
        legacy_tenant: config.legacy_tenant,
        upload_limit: config.upload_max_bytes.map_or(defaults.upload_limit, NonZeroU64::get),
        ..defaults
    })
}

fn speaks_tls(config: &Config) -> bool {
    config.edge.tls.is_some() || config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
}

fn certificate(files: TlsFiles) -> Result<Arc<Certificate>, ConfigErrors> {
    Certificate::load(files.clone()).map_err(|error| {
        let variable = if error.is_of_key(&files) { "LUCI_TLS_KEY" } else { "LUCI_TLS_CERT" };
        ConfigErrors(vec![ConfigError { variable: variable.to_owned(), problem: error.to_string() }])
    })
}

/// `LUCI_SEAL_WITNESS`, else a file of the data folder.
pub fn seal_witness(config: &Config) -> SealWitness {
    let path = config.seal_witness.clone();
    SealWitness::at(path.unwrap_or_else(|| config.data_dir.join("seals.witness")))
}

/// `LUCI_SEAL_BUCKET`, opened. A folder is used as it is: one that is missing is an error.
pub fn seal_bucket(config: &Config) -> anyhow::Result<Option<SealBucket>> {
    Ok(match config.seal_bucket.clone() {
        None => None,
        Some(StoreAddress::Bucket(bucket)) => Some(SealBucket::on(Storage::s3(bucket)?)),
        Some(StoreAddress::Folder(folder)) if !folder.is_dir() => {
            let problem = format!("there is no folder {}", folder.display());
            return Err(ConfigErrors(vec![ConfigError { variable: "LUCI_SEAL_BUCKET".to_owned(), problem }]).into());
        }
        Some(StoreAddress::Folder(folder)) => {
            Some(SealBucket::on(Storage::local(folder, String::new().into(), String::new())?))
        }
    })
}

/// The store that all processes share. A folder is for processes of one machine; a key derived from the master key signs
/// its URLs.
pub fn shared_store(config: &Config, listener: Option<&TcpListener>) -> anyhow::Result<Storage> {
    let missing = |name, remedy| MissingSetting { name, remedy };
    match config.store.clone().ok_or(missing("LUCI_STORE_URL", "file:///folder or s3://bucket"))? {
        StoreAddress::Bucket(bucket) => Ok(Storage::s3(bucket)?),
        StoreAddress::Folder(folder) => {
            let remedy = "a local store signs its URLs with it; every process needs the same one";
            let master = config.master_key.as_ref().ok_or(missing("LUCI_MASTER_KEY", remedy))?;
            let public_url = public_url(config, listener)?;
            Ok(Storage::local(folder, derive_key(master, STORE_URL_KEY).expose_secret().into(), public_url)?)
        }
    }
}

/// The purpose of the key that signs the local store's URLs.
pub const STORE_URL_KEY: &str = "blob addresses";

/// The gateway's URL as callers see it: `LUCI_PUBLIC_URL`, else the listener's address.
pub fn public_url(config: &Config, listener: Option<&TcpListener>) -> anyhow::Result<String> {
    if let Some(url) = &config.public_url {
        return Ok(url.clone());
    }
    let remedy = "a local store needs the gateway's URL";
    let listener = listener.ok_or(MissingSetting { name: "LUCI_PUBLIC_URL", remedy })?;
    let address = listener.local_addr()?;
    let host = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    let scheme = if config.edge.tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", SocketAddr::new(host, address.port())))
}

//! `luci audit seals`: is the log still what was signed? Asked of the database and the store, as operator.

use anyhow::Context;
use clap::Args;
use luci_engine::{
    sealer::object_path,
    storage::{Storage, StorageError},
};
use luci_schema::{
    Position,
    log::{first_broken, hashes, seals_after},
    merkle::{leaf, root},
    seal::{Seal, SealKey},
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    cli::{Missing, Outcome, out, projections::Ground, serve::configured_seal_key},
    config::{Config, StoreAddress},
    instance::Instance,
};

/// Seals read at once.
const PAGE: u32 = 100;

#[derive(Debug, Args)]
pub struct Seals {
    /// A public key that may have sealed, besides the instance's own; none at all means any
    #[arg(long, value_name = "HEX")]
    key: Vec<String>,
    #[arg(long)]
    json: bool,
}

/// What was found: how far all holds, and the first thing that does not.
#[derive(Debug, Default)]
struct Found {
    seals: u64,
    sealed: Position,
    last: Option<Seal>,
    fault: Option<String>,
}

impl Seals {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let ground = Ground::open(config).await?;
        let (storage, own) = (store(config)?, own_key(config)?);
        let keys: Vec<String> = self.key.into_iter().chain(own.map(|key| hex::encode(key.public()))).collect();
        let mut c = ground.log.pool().acquire().await?;
        let found = Audit { storage: &storage, keys: &keys }.all(&mut c).await?;
        let head = ground.log.newest().await?;
        let unsealed = head.0.saturating_sub(found.sealed.0);
        let key = found.last.as_ref().map(|seal| hex::encode(seal.public_key));
        if self.json {
            out::json(&json!({"seals": found.seals, "sealed": found.sealed, "head": head, "unsealed": unsealed,
                "publicKey": key, "fault": found.fault}))?;
        } else if let Some(fault) = &found.fault {
            out::line(&format!("NOT as it was sealed: {fault}; {} before it", holding(found.seals)))?;
        } else {
            let key = key.map(|key| format!("; key {key}")).unwrap_or_default();
            let (seals, sealed) = (holding(found.seals), found.sealed);
            out::line(&format!("{seals}, up to position {sealed} of {head}, {unsealed} not sealed yet{key}"))?;
        }
        Ok(if found.fault.is_none() { Outcome::Done } else { Outcome::Failed })
    }
}

fn holding(seals: u64) -> String {
    if seals == 1 { "1 seal holds".to_owned() } else { format!("{seals} seals hold") }
}

/// The store of the environment, else that of the instance in the data folder.
fn store(config: &Config) -> anyhow::Result<Storage> {
    let at_home = || Some(StoreAddress::Folder(Instance::read(&config.data_dir).ok()??.store_folder()?));
    let remedy = "name the store, or a --data-dir where `luci up` runs";
    match config.store.clone().or_else(at_home).ok_or(Missing { name: "LUCI_STORE_URL", remedy })? {
        StoreAddress::Bucket(bucket) => Ok(Storage::s3(bucket)?),
        // Nothing is signed here.
        StoreAddress::Folder(folder) => Ok(Storage::local(folder, String::new().into(), String::new())?),
    }
}

/// `LUCI_SEAL_KEY`, else the data folder's, if there is one.
fn own_key(config: &Config) -> anyhow::Result<Option<SealKey>> {
    let home = config.data_dir.join("seal.key");
    config.seal_key.clone().or_else(|| home.exists().then_some(home)).as_deref().map(configured_seal_key).transpose()
}

struct Audit<'a> {
    storage: &'a Storage,
    /// Those that may have sealed; none means any.
    keys: &'a [String],
}

impl Audit<'_> {
    async fn all(&self, c: &mut PgConnection) -> anyhow::Result<Found> {
        let mut found = Found::default();
        loop {
            let page = seals_after(c, found.seals, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for seal in page {
                if let Some(fault) = self.fault(c, &seal, found.last.as_ref()).await? {
                    let (id, from, to) = (found.seals + 1, seal.from_position, seal.to_position);
                    found.fault = Some(format!("seal {id} (positions {from} to {to}): {fault}"));
                    return Ok(found);
                }
                (found.seals, found.sealed) = (seal.seal_id, seal.to_position);
                found.last = Some(seal);
            }
        }
        let next = found.seals + 1;
        if let Some(copy) = self.copy(next).await? {
            let range = format!("positions {} to {}", copy.from_position, copy.to_position);
            found.fault =
                Some(format!("the store has seal {next} ({range}), the database does not: its end was cut off"));
        }
        Ok(found)
    }

    /// What is wrong with a seal, its copy, or the events that it covers.
    async fn fault(&self, c: &mut PgConnection, seal: &Seal, before: Option<&Seal>) -> anyhow::Result<Option<String>> {
        if let Err(error) = seal.check(before) {
            return Ok(Some(error.to_string()));
        }
        let key = hex::encode(seal.public_key);
        if !self.keys.is_empty() && !self.keys.contains(&key) {
            return Ok(Some(format!("it is signed by {key}, which is none of the keys that may seal")));
        }
        let (from, to) = (seal.from_position, seal.to_position);
        let hashes = hashes(c, from, to).await?;
        let wanted = to.0 - from.0 + 1;
        if hashes.len() as u64 != wanted {
            let at = from.0 + hashes.len() as u64;
            return Ok(Some(format!("the event at position {at} is gone")));
        }
        let leaves: Vec<_> = (from.0..).zip(&hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        if root(&leaves) != seal.root {
            return Ok(Some("the events are not those that were sealed".into()));
        }
        if let Some(at) = first_broken(c, from, to).await? {
            return Ok(Some(format!("the event at position {at} is not what its hash says")));
        }
        Ok(match self.copy(seal.seal_id).await? {
            Some(copy) if copy == *seal => None,
            Some(_) => Some("its copy in the store is another one".into()),
            None => Some(format!("the store has no copy at {}", object_path(seal.seal_id))),
        })
    }

    async fn copy(&self, seal_id: u64) -> anyhow::Result<Option<Seal>> {
        match self.storage.get(&object_path(seal_id)).await {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("a seal in the store cannot be read")?)),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

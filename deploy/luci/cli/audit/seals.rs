//! `luci audit seals`: verifies the log against its seals; connects to the database and the store, as operator.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use luci_runs::sealer::{SealerOptions, object_path};
use luci_schema::{
    Micros, Position,
    log::{StoredEvent, first_broken, hashes, seals_after, stored_events},
    merkle::{leaf, root},
    seal::Seal,
};
use luci_storage::{Storage, StorageError};
use serde_json::json;
use sqlx::PgConnection;

use super::witnesses::{Witness, connected, read_witnesses};
use crate::{
    cli::{
        Outcome,
        out::{self, Format},
        projections::OperatorAccess,
    },
    config::{Config, MissingSetting, StoreAddress},
    local::InstanceFile,
    process::from_config::configured_seal_key,
};

/// Where the store has the copies of seals.
pub(super) const SEAL_FOLDER: &str = "audit/seals/";

/// Seals that are read with one query.
const PAGE: u32 = 100;

#[derive(Debug, Args)]
pub struct Seals {
    /// Public key that may seal the log, besides the instance's own; any key may when there is none
    #[arg(long, value_name = "HEX")]
    key: Vec<String>,
    #[command(flatten)]
    format: Format,
}

/// The valid seals up to the first fault, if any.
#[derive(Debug, Default)]
pub struct Checked {
    pub seals: u64,
    pub sealed: Position,
    last: Option<Seal>,
    pub fault: Option<String>,
}

impl Seals {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let access = OperatorAccess::open(config).await?;
        let (storage, keys) = (operator_store(config)?, own_keys(config, &self.key)?);
        let witnesses = read_witnesses(config, connected(config).await?.as_ref()).await?;
        let now = Micros::now();
        let audit = SealAudit { storage: &storage, keys: &keys, witnesses: &witnesses, now, events_checked: false };
        let mut c = access.log.pool().acquire().await?;
        let mut checked = audit.all(&mut c).await?;
        if checked.fault.is_none() {
            checked.fault = not_sealed(&mut c, checked.sealed, now).await?;
        }
        drop(c);
        let head = access.log.newest().await?;
        let unsealed = head.0.saturating_sub(checked.sealed.0);
        let key = checked.last.as_ref().map(|seal| hex::encode(seal.public_key));
        if !self.format.is_text() {
            self.format.document(
                &json!({"seals": checked.seals, "sealed": checked.sealed, "head": head, "unsealed": unsealed,
                "publicKey": key, "fault": checked.fault}),
            )?;
        } else if let Some(fault) = &checked.fault {
            out::line(&format!("NOT intact: {fault}; {} before it", valid_seals(checked.seals)))?;
        } else {
            let key = key.map(|key| format!("; key {key}")).unwrap_or_default();
            let (seals, sealed) = (valid_seals(checked.seals), checked.sealed);
            out::line(&format!("{seals}, up to position {sealed} of {head}, {unsealed} not sealed yet{key}"))?;
        }
        Ok(if checked.fault.is_none() { Outcome::Done } else { Outcome::Failed })
    }
}

/// Why events that should have been sealed are not; `None` while the newest are younger than two intervals.
pub async fn not_sealed(c: &mut PgConnection, sealed: Position, now: Micros) -> anyhow::Result<Option<String>> {
    let first = stored_events(c, sealed.0 as i64, 1).await?.pop();
    let Some(StoredEvent { position, event: Ok(first) }) = first else { return Ok(None) };
    let age = Duration::from_micros(u64::try_from(now.0 - first.recorded_at.0).unwrap_or(0));
    let at = first.recorded_at.rfc3339();
    let fault = format!("the events from position {position} on have not been sealed since {at}: no sealer runs");
    Ok((age > 2 * SealerOptions::INTERVAL).then_some(fault))
}

fn valid_seals(seals: u64) -> String {
    if seals == 1 { "1 valid seal".to_owned() } else { format!("{seals} valid seals") }
}

/// `LUCI_STORE_URL`, else the store of the instance in the data folder.
pub fn operator_store(config: &Config) -> anyhow::Result<Storage> {
    let instance = || InstanceFile::read(&config.data_dir).ok()??.store_address();
    let remedy = "set it to the store's URL, or choose a --data-dir where `luci up` runs";
    match config.store.clone().or_else(instance).ok_or(MissingSetting { name: "LUCI_STORE_URL", remedy })? {
        StoreAddress::Bucket(bucket) => Ok(Storage::s3(bucket)?),
        // Opening a folder would make it: a store that vanished must not look like an empty one.
        StoreAddress::Folder(folder) if !folder.is_dir() => anyhow::bail!("there is no store at {}", folder.display()),
        // Without a signing key: no signed URL is made.
        StoreAddress::Folder(folder) => Ok(Storage::local(folder, String::new().into(), String::new())?),
    }
}

/// These keys, and the public key of `LUCI_SEAL_KEY` or else the `seal.key` of the data folder, if there is one.
pub(super) fn own_keys(config: &Config, given: &[String]) -> anyhow::Result<Vec<String>> {
    let file = config.data_dir.join("seal.key");
    let own = config.seal_key.clone().or_else(|| file.exists().then_some(file));
    let own = own.as_deref().map(configured_seal_key).transpose()?;
    Ok(given.iter().cloned().chain(own.map(|key| hex::encode(key.public()))).collect())
}

/// Verifies the seals of the database against events, copies and witnesses.
pub(super) struct SealAudit<'a> {
    pub storage: &'a Storage,
    /// Public keys that may seal the log; empty when any key may.
    pub keys: &'a [String],
    pub witnesses: &'a [Witness],
    pub now: Micros,
    /// The caller has compared each event with its hash.
    pub events_checked: bool,
}

impl SealAudit<'_> {
    pub async fn all(&self, c: &mut PgConnection) -> anyhow::Result<Checked> {
        let mut checked = Checked::default();
        loop {
            let page = seals_after(c, checked.seals, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for seal in page {
                if let Some(fault) = self.fault(c, &seal, checked.last.as_ref()).await? {
                    let (id, from, to) = (checked.seals + 1, seal.from_position, seal.to_position);
                    checked.fault = Some(format!("seal {id} (positions {from} to {to}): {fault}"));
                    return Ok(checked);
                }
                (checked.seals, checked.sealed) = (seal.seal_id, seal.to_position);
                checked.last = Some(seal);
            }
        }
        checked.fault = self.witnesses.iter().find_map(|witness| witness.knows_more(checked.seals));
        if checked.fault.is_some() {
            return Ok(checked);
        }
        let next = checked.seals + 1;
        if let Some(copy) = self.copy(next).await?.filter(|copy| !self.is_later(copy)) {
            let range = format!("positions {} to {}", copy.from_position, copy.to_position);
            checked.fault = Some(format!(
                "the store has seal {next} ({range}), the database does not: the end of the log is missing"
            ));
        }
        Ok(checked)
    }

    /// Why a seal, its copy in the store, or the events that it covers are not intact.
    async fn fault(&self, c: &mut PgConnection, seal: &Seal, before: Option<&Seal>) -> anyhow::Result<Option<String>> {
        if let Err(error) = seal.check(before) {
            return Ok(Some(error.to_string()));
        }
        if let Some(fault) = self.witnesses.iter().find_map(|witness| witness.contradicts(seal, self.now)) {
            return Ok(Some(fault));
        }
        let key = hex::encode(seal.public_key);
        if !self.keys.is_empty() && !self.keys.contains(&key) {
            return Ok(Some(format!("it is signed by {key}, not one of the allowed sealing keys")));
        }
        let (from, to) = (seal.from_position, seal.to_position);
        let hashes = hashes(c, from, to).await?;
        let expected = to.0 - from.0 + 1;
        if hashes.len() as u64 != expected {
            let at = from.0 + hashes.len() as u64;
            return Ok(Some(format!("the event at position {at} is missing")));
        }
        let leaves: Vec<_> = (from.0..).zip(&hashes).map(|(at, hash)| leaf(Position(at), hash)).collect();
        if root(&leaves) != seal.root {
            return Ok(Some("the events do not match the seal's Merkle root".into()));
        }
        if !self.events_checked
            && let Some(at) = first_broken(c, from, to).await?
        {
            return Ok(Some(format!("the event at position {at} does not match its hash")));
        }
        Ok(match self.copy(seal.seal_id).await? {
            Some(copy) if copy == *seal => None,
            Some(_) => Some("its copy in the store differs".into()),
            None => Some(format!("the store has no copy at {}", object_path(seal.seal_id))),
        })
    }

    /// Whether the seal was made while the audit reads: the database's seals may have been read before it.
    pub fn is_later(&self, copy: &Seal) -> bool {
        copy.sealed_at_micros > self.now
    }

    pub async fn copy(&self, seal_id: u64) -> anyhow::Result<Option<Seal>> {
        match self.storage.get(&object_path(seal_id)).await {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("cannot parse a seal in the store")?)),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

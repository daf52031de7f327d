//! The journal of suppressions: what people suppress, lift and have erased, as objects. A database that
//! is restored to the past has forgotten what came later; the journal has not, and `luci restore accept` brings it in.
//!
//! An entry has a keyed hash of the number or address, as suppressions of erased people have. What messages and carriers cause
//! is not here: it follows from deliveries, which are stored.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_config::vault::Vault;
use luci_leads::store::suppressions::{self, Kind, Reason};
use luci_schema::{Micros, TenantId};
use luci_storage::Storage;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::sender::journal::JournalError;

const FOLDER: &str = "journal/suppressions/";

/// One change of what a tenant must not contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuppressionEntry {
    pub tenant_id: TenantId,
    pub kind: Kind,
    pub hash: String,
    /// `None`: a person lifted the suppression.
    pub reason: Option<String>,
    pub expires_at: Option<Micros>,
    pub at_micros: Micros,
}

/// What a person decided about some numbers or addresses.
#[derive(Debug, Clone, Copy)]
pub enum Decided {
    /// Written before the commit: if that fails, the contact is suppressed after a restore, which harms nobody.
    Suppressed(Reason, Option<Micros>),
    /// Written after the commit, with the time of the request: no failure in between may end a suppression.
    Lifted(Micros),
}

/// Writes an entry for each contact. A store that is away stops nothing: the suppression counts, and is only not in the journal.
pub async fn write(
    (storage, vault): (&Storage, &Vault),
    tenant: TenantId,
    (kind, values): (Kind, &[&str]),
    decided: Decided,
) {
    let (reason, expires_at, at) = match decided {
        Decided::Suppressed(reason, until) => (Some(reason), until.filter(|_| !reason.permanent()), Micros::now()),
        Decided::Lifted(at) => (None, None, at),
    };
    let reason = reason.map(|reason| reason.as_str().to_owned());
    for hash in suppressions::hashes(vault, tenant, kind, values) {
        let path = path(&hash, at);
        let entry =
            SuppressionEntry { tenant_id: tenant, kind, hash, reason: reason.clone(), expires_at, at_micros: at };
        let stored = match serde_json::to_vec(&entry) {
            Ok(body) => storage.put_new(&path, Bytes::from(body), "application/json").await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = stored {
            tracing::warn!(tenant_id = %tenant, path, %error, "suppression not written to the journal");
        }
    }
}

/// The suppressions since a time that the database has neither readable nor as a hash; of each contact the newest decision.
pub async fn unknown(
    c: &mut PgConnection,
    (storage, vault): (&Storage, Option<&Vault>),
    since: Micros,
) -> Result<Vec<SuppressionEntry>, JournalError> {
    let mut newest: BTreeMap<(TenantId, String), SuppressionEntry> = BTreeMap::new();
    let mut objects = storage.list(FOLDER);
    while let Some(object) = objects.try_next().await? {
        if object.modified < since {
            continue;
        }
        let bytes = storage.get(&object.path).await?;
        let entry: SuppressionEntry = serde_json::from_slice(&bytes)
            .map_err(|error| JournalError::Unreadable { path: object.path.clone(), error })?;
        let key = (entry.tenant_id, entry.hash.clone());
        if newest.get(&key).is_none_or(|before| before.at_micros < entry.at_micros) {
            newest.insert(key, entry);
        }
    }
    let tenants: HashSet<TenantId> = newest.values().map(|entry| entry.tenant_id).collect();
    let mut known = HashSet::new();
    for tenant in tenants {
        known.extend(suppressions::known_hashes(c, tenant, vault).await?.into_iter().map(|hash| (tenant, hash)));
    }
    let now = Micros::now();
    let lasts = |entry: &SuppressionEntry| entry.reason.is_some() && entry.expires_at.is_none_or(|until| until > now);
    Ok(newest.into_iter().filter(|(key, entry)| lasts(entry) && !known.contains(key)).map(|(_, entry)| entry).collect())
}

/// Suppresses again, by hashes.
pub async fn bring_in(c: &mut PgConnection, entries: &[SuppressionEntry]) -> Result<(), sqlx::Error> {
    for entry in entries {
        let reason = entry.reason.as_deref().unwrap_or_default();
        let restored = (entry.kind, entry.hash.as_str(), reason, entry.expires_at);
        suppressions::add_hash(c, entry.tenant_id, restored).await?;
    }
    Ok(())
}

/// The first digits of a hash are as good as random: no folder of a local store gets too large.
fn path(hash: &str, at: Micros) -> String {
    let digits = hash.rsplit(':').next().unwrap_or_default();
    format!("{FOLDER}{}/{digits}_{}.json", digits.get(..2).unwrap_or_default(), at.0)
}

//! The journal of erasures: who was erased, as lead ids and keyed hashes, and which objects were replaced. A database that is
//! restored to the past has these people again and does not know that they were erased; the journal does, and
//! `luci restore accept` has them erased again.
//!
//! The eraser writes an entry before it removes anything, and another whenever it knows more.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_config::vault::Vault;
use luci_schema::{ErasureId, Micros, TenantId, event::ErasedObject, object_version};
use luci_storage::Storage;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    ErasureError,
    hashed::{HashedPerson, Keys},
    table,
};

const FOLDER: &str = "journal/erasures/";

/// What the journal has of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureEntry {
    pub tenant_id: TenantId,
    pub erasure_id: ErasureId,
    /// `leadId`, `phone` or `email`.
    pub named_by: String,
    pub requested_by: String,
    pub requested_at_micros: Micros,
    pub person: HashedPerson,
    /// In the order of their replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ErasedObject>,
}

impl ErasureEntry {
    fn merge(&mut self, later: Self) {
        self.person.merge(later.person);
        self.objects.extend(later.objects);
    }
}

/// Writes an entry; paths sort by time.
pub(super) async fn write(storage: &Storage, entry: &ErasureEntry) -> Result<(), ErasureError> {
    let (tenant, id) = (entry.tenant_id, entry.erasure_id);
    let body = Bytes::from(serde_json::to_vec(entry).map_err(luci_storage::StorageError::from)?);
    loop {
        let path = format!("{FOLDER}{tenant}/{id}/{:020}.json", Micros::now().0);
        if storage.put_new(&path, body.clone(), "application/json").await? {
            return Ok(());
        }
    }
}

/// The erasures of the database's tenants that the database does not have, oldest first; and those that it has as pending, but
/// which have replaced objects since.
///
/// # Errors
/// When an entry cannot be read: whom it is about must not be forgotten.
pub async fn unknown(
    c: &mut PgConnection,
    storage: &Storage,
    tenants: &[TenantId],
) -> Result<Vec<ErasureEntry>, ErasureError> {
    let mut found = Vec::new();
    for tenant in tenants {
        let known = table::known(c, *tenant).await?;
        for entry in entries(storage, *tenant, &known).await? {
            if !known.contains_key(&entry.erasure_id) || !lost(c, storage, &entry).await?.is_empty() {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

/// What the journal has of a tenant, one for each erasure, without those that are complete.
async fn entries(
    storage: &Storage,
    tenant: TenantId,
    known: &BTreeMap<ErasureId, bool>,
) -> Result<Vec<ErasureEntry>, ErasureError> {
    let mut listed: Vec<_> = storage.list(&format!("{FOLDER}{tenant}/")).try_collect().await?;
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    let mut found: BTreeMap<ErasureId, ErasureEntry> = BTreeMap::new();
    for object in listed {
        let of = object.path.rsplit('/').nth(1).and_then(|id| id.parse::<ErasureId>().ok());
        if of.is_some_and(|id| known.get(&id) == Some(&true)) {
            continue;
        }
        let entry: ErasureEntry = serde_json::from_slice(&storage.get(&object.path).await?)
            .map_err(|error| ErasureError::Journal { object_path: object.path.clone(), error })?;
        match found.get_mut(&entry.erasure_id) {
            Some(earlier) => earlier.merge(entry),
            None => drop(found.insert(entry.erasure_id, entry)),
        }
    }
    Ok(found.into_values().collect())
}

/// Objects that an erasure replaced, of which the store has only the replacement and the database does not know it.
async fn lost(
    c: &mut PgConnection,
    storage: &Storage,
    entry: &ErasureEntry,
) -> Result<Vec<ErasedObject>, ErasureError> {
    let mut lost = Vec::new();
    for object in &entry.objects {
        // What was overwritten in place is as the erasure left it, or as the backup has it.
        let in_place = object.now.as_ref().is_some_and(|now| now.object_path == object.object_path);
        if !in_place
            && storage.head(&object.object_path).await?.is_none()
            && object_version::of(c, entry.tenant_id, &object.object_path).await?.is_none()
        {
            lost.push(object.clone());
        }
    }
    Ok(lost)
}

/// How many restored leads are people who were erased.
///
/// # Errors
/// When the database fails.
pub async fn leads_back(c: &mut PgConnection, vault: &Vault, entries: &[ErasureEntry]) -> Result<usize, sqlx::Error> {
    let mut leads = 0;
    for entry in entries {
        leads += entry.person.count(c, Keys { vault, tenant: entry.tenant_id }).await?;
    }
    Ok(leads)
}

/// Enters erasures again, under their ids: the clock role carries them out, and no run of the tenant starts before. Objects that
/// the store has no more, because the erasure had replaced them, are found at their replacements from the commit on.
///
/// # Errors
/// When the store, the vault or the database fails.
pub async fn repeat(
    c: &mut PgConnection,
    (storage, vault): (&Storage, &Vault),
    entries: &[ErasureEntry],
) -> Result<(), ErasureError> {
    for entry in entries {
        let replaced = lost(c, storage, entry).await?;
        for object in &replaced {
            object_version::erased(c, entry.tenant_id, object).await?;
        }
        table::insert_again(c, vault, entry, replaced).await?;
    }
    Ok(())
}

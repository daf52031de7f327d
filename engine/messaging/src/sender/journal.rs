//! The send journal: each attempt at a send, as an object, before the carrier is called. A database that is restored to the
//! past does not know of later sends; the journal does, and `luci restore accept` brings them in.
//!
//! An entry has no number and no text, only hashes of them.

use std::str::FromStr;

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_schema::{Micros, TenantId};
use luci_storage::{Storage, StorageError};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    rules::{channel::SendKeys, send_id::SendId},
    store::{claimed_send::ClaimedSend, restored_sends, sends},
};

/// Entries are kept this long: no backup that is older can be restored without sending again.
pub const KEPT_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
const FOLDER: &str = "journal/sends/";

/// One attempt at a send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    pub tenant_id: TenantId,
    /// `msg_…` or `call_…`
    pub send_id: String,
    /// The claim of the queue's row.
    pub claim: i64,
    pub keys: SendKeys,
    pub at_micros: Micros,
}

/// Writes the entry of a claim; the caller sends only after it is stored. False: the claim has one already. No claim is made
/// twice in one history, so the row is of a database that was restored to the past, and its send may have happened.
pub(super) async fn write(storage: &Storage, tenant: TenantId, claimed: &ClaimedSend) -> Result<bool, StorageError> {
    let (send_id, claim) = (claimed.id.to_string(), claimed.claim);
    let path = path(&send_id, claim);
    let entry = JournalEntry { tenant_id: tenant, send_id, claim, keys: claimed.keys, at_micros: Micros::now() };
    storage.put_new(&path, Bytes::from(serde_json::to_vec(&entry)?), "application/json").await
}

/// The entries since a time that the database does not know, with the paths of their objects.
pub async fn unknown(
    c: &mut PgConnection,
    storage: &Storage,
    since: Micros,
) -> Result<Vec<(String, JournalEntry)>, JournalError> {
    let mut found = Vec::new();
    let mut objects = storage.list(FOLDER);
    while let Some(object) = objects.try_next().await? {
        if object.modified < since {
            continue;
        }
        let bytes = storage.get(&object.path).await?;
        let entry: JournalEntry = serde_json::from_slice(&bytes)
            .map_err(|error| JournalError::Unreadable { path: object.path.clone(), error })?;
        if !is_known(c, &entry).await? {
            found.push((object.path, entry));
        }
    }
    found.sort_by_key(|(_, entry)| entry.at_micros);
    Ok(found)
}

/// Brings entries in: what they sent is never sent again.
pub async fn bring_in(c: &mut PgConnection, entries: &[(String, JournalEntry)]) -> Result<(), sqlx::Error> {
    for (path, entry) in entries {
        restored_sends::add(c, entry.tenant_id, &entry.keys, (path, entry.at_micros)).await?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the entry {path} of the send journal cannot be read: {error}")]
    Unreadable { path: String, error: serde_json::Error },
}

/// Whether the queue's row had this claim or a later one.
async fn is_known(c: &mut PgConnection, entry: &JournalEntry) -> Result<bool, sqlx::Error> {
    let Ok(id) = SendId::from_str(&entry.send_id) else { return Ok(false) };
    Ok(sends::newest_claim(c, entry.tenant_id, id).await?.is_some_and(|claim| claim >= entry.claim))
}

/// Deletes the entries that are no longer kept.
pub(super) async fn delete_old(storage: &Storage) -> Result<u64, StorageError> {
    let oldest = Micros::now().plus_millis(-KEPT_DAYS * DAY_MS);
    let (mut deleted, mut objects) = (0, storage.list(FOLDER));
    while let Some(object) = objects.try_next().await? {
        if object.modified < oldest {
            storage.delete(&object.path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// The last characters of an id are random: no folder of a local store gets too large.
fn path(send_id: &str, claim: i64) -> String {
    let shard = send_id.get(send_id.len().saturating_sub(2)..).unwrap_or_default();
    format!("{FOLDER}{shard}/{send_id}_{claim}.json")
}

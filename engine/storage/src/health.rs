//! Whether the store can be used: it is the one that this database began with, and it takes writes.
//!
//! A marker object in the root names the store. A local folder without its marker has vanished (a disk that is not mounted, a
//! folder that was deleted) and is never filled again: its objects would be missed only later, one by one.

use std::{fmt, io, path::PathBuf, sync::OnceLock, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use luci_schema::Micros;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{Signing, Storage, StorageError};

/// The marker in the root of the store.
const MARKER: &str = "luci-store.json";
/// Written to find out whether the store takes writes.
const PROBE: &str = "luci-store-probe";
/// Enough that a folder with no space left refuses it.
const PROBE_BYTES: usize = 64 << 10;
const PROBE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Why the store cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The folder or bucket is gone, or its marker is.
    Missing,
    /// It has the marker of another store.
    Foreign,
    ReadOnly,
    Full,
    /// It does not answer, or with an error.
    Unreachable,
}

impl StoreFault {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::ReadOnly => "read_only",
            Self::Full => "full",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is missing, or its marker luci-store.json is",
            Self::Foreign => "its marker luci-store.json is that of another store",
            Self::ReadOnly => "it is read-only",
            Self::Full => "it is full",
            Self::Unreachable => "it does not answer",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    store_id: String,
}

/// What a process knows of its store.
#[derive(Default)]
pub(crate) struct StoreState {
    /// The folder of a local store.
    pub(crate) folder: Option<PathBuf>,
    /// Whether opening the store made the folder.
    pub(crate) made: bool,
    /// The id in the marker, once the database has confirmed it.
    pub(crate) id: OnceLock<String>,
    /// The last check.
    pub(crate) checked: Mutex<Option<(Micros, Result<(), StoreFault>)>>,
}

impl Storage {
    /// The id in the store's marker; `None` without a marker.
    pub async fn store_id(&self) -> Result<Option<String>, StorageError> {
        match self.get(MARKER).await {
            Ok(bytes) => Ok(Some(serde_json::from_slice::<Marker>(&bytes)?.store_id)),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is no object at all.
    pub async fn is_empty(&self) -> Result<bool, StorageError> {
        Ok(self.objects().list(None).next().await.transpose()?.is_none())
    }

    /// Makes the marker. If another process was faster, its marker stays.
    pub async fn mark(&self, store_id: &str) -> Result<(), StorageError> {
        let marker = serde_json::to_vec(&Marker { store_id: store_id.to_owned() })?;
        self.put_new(MARKER, marker.into(), "application/json").await.map(drop)
    }

    /// From now on only a store with this id in its marker is used.
    pub fn require_id(&self, store_id: &str) {
        let _already = self.state().id.set(store_id.to_owned());
    }

    /// Removes the folder of a local store if opening it made it and it is empty; not a place where a disk is to be mounted.
    pub fn remove_new_folder(&self) {
        let state = self.state();
        let _not_empty = state.folder.as_deref().filter(|_| state.made).map(std::fs::remove_dir);
    }

    /// Before each write: object_store creates missing folders.
    pub(crate) fn check_folder(&self) -> Result<(), StorageError> {
        let state = self.state();
        match (&state.folder, state.id.get()) {
            (Some(folder), Some(_)) if !folder.join(MARKER).exists() => {
                Err(StorageError::Unusable(StoreFault::Missing))
            }
            _ => Ok(()),
        }
    }

    /// Whether the store can be used, checked at most `age` ago.
    pub async fn health(&self, age: Duration) -> Result<(), StoreFault> {
        let state = self.state();
        if state.id.get().is_none() {
            return Ok(());
        }
        let mut checked = state.checked.lock().await;
        let oldest = Micros::now().0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        if let Some((at, found)) = *checked
            && at.0 >= oldest
        {
            return found;
        }
        let found = match tokio::time::timeout(PROBE_TIMEOUT, self.probe()).await {
            Ok(found) => found,
            Err(_) => Err(StoreFault::Unreachable),
        };
        let before = checked.map(|(_, found)| found);
        if let Err(fault) = found
            && before != Some(found)
        {
            tracing::error!(store = ?self, %fault, "object store cannot be used");
        } else if found.is_ok() && matches!(before, Some(Err(_))) {
            tracing::info!(store = ?self, "object store can be used again");
        }
        metrics::gauge!("luci_store_usable").set(if found.is_ok() { 1.0 } else { 0.0 });
        *checked = Some((Micros::now(), found));
        found
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        let found = self.store_id().await.map_err(|error| fault_of(&error, StoreFault::Unreachable))?;
        match (found, self.state().id.get()) {
            (None, _) => return Err(StoreFault::Missing),
            (Some(found), Some(id)) if found != *id => return Err(StoreFault::Foreign),
            (Some(_), _) => {}
        }
        let bytes = match self.0.signing {
            Signing::Local { .. } => Bytes::from_static(&[0; PROBE_BYTES]),
            Signing::S3(..) => Bytes::from_static(b"-"),
        };
        let put = self.objects().put(&Path::from(PROBE), PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(|error| fault_of(&error.into(), StoreFault::ReadOnly))
    }

    /// Writes a small object unless the path exists; returns whether it was written.
    pub async fn put_new(&self, object_path: &str, bytes: Bytes, content_type: &str) -> Result<bool, StorageError> {
        self.check_folder()?;
        let at = crate::path(object_path)?;
        let options = |mode| PutOptions { mode, attributes: self.attributes(content_type), ..Default::default() };
        match self.objects().put_opts(&at, bytes.clone().into(), options(PutMode::Create)).await {
            Ok(_) => return Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(false),
            // Not every S3 store has conditional writes; the callers ensure that there is one writer at a time.
            Err(error) => tracing::debug!(%error, "object not created, trying without a condition"),
        }
        if self.head(object_path).await?.is_some() {
            return Ok(false);
        }
        self.objects().put_opts(&at, bytes.into(), options(PutMode::Overwrite)).await?;
        Ok(true)
    }
}

/// What an error says of the store. `denied`: what a lack of permission means.
fn fault_of(error: &StorageError, denied: StoreFault) -> StoreFault {
    match error {
        StorageError::Unusable(fault) => *fault,
        StorageError::NotFound(_) => StoreFault::Missing,
        StorageError::Store(object_store::Error::PermissionDenied { .. }) => denied,
        error => fault_of_io(error, denied),
    }
}

fn fault_of_io(error: &StorageError, denied: StoreFault) -> StoreFault {
    let mut source: Option<&(dyn std::error::Error + 'static)> = match error {
        StorageError::Store(error) => Some(error),
        error => Some(error),
    };
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => return StoreFault::Full,
                io::ErrorKind::ReadOnlyFilesystem => return StoreFault::ReadOnly,
                io::ErrorKind::PermissionDenied => return denied,
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return StoreFault::Missing,
                _ => {}
            }
        }
        source = error.source();
    }
    StoreFault::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_named() {
        let fault = |kind: io::ErrorKind| {
            let source = Box::new(io::Error::from(kind));
            fault_of(&object_store::Error::Generic { store: "x", source }.into(), StoreFault::ReadOnly)
        };
        assert_eq!(fault(io::ErrorKind::StorageFull), StoreFault::Full);
        assert_eq!(fault(io::ErrorKind::QuotaExceeded), StoreFault::Full);
        assert_eq!(fault(io::ErrorKind::ReadOnlyFilesystem), StoreFault::ReadOnly);
        assert_eq!(fault(io::ErrorKind::PermissionDenied), StoreFault::ReadOnly);
        assert_eq!(fault(io::ErrorKind::NotFound), StoreFault::Missing);
        assert_eq!(fault(io::ErrorKind::TimedOut), StoreFault::Unreachable);
    }
}

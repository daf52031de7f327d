//! Finds the object that a client of the older platform names: below the tenant, among the recorded ones, or, for the tenant that
//! owns the old bucket alone, where the older platform put it.

use luci_schema::{
    ObjectDigest, TenantId,
    object_key::{ObjectKey, ObjectLocation},
};
use luci_storage::{Storage, StorageError};
use sqlx::PgConnection;

use crate::{
    legacy::key::{LegacyKey, LegacyKeyError},
    store::{
        imports::{self, ImportStatus},
        legacy_objects,
    },
};

/// Where an object was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundIn {
    /// At a key of the tenant.
    Tenant,
    /// It was migrated: its copy.
    Migrated,
    /// In the old bucket.
    Legacy,
}

impl FoundIn {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Migrated => "migrated",
            Self::Legacy => "legacy",
        }
    }
}

/// An object that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedObject {
    pub object_path: String,
    pub size_bytes: u64,
    /// SHA-256 in lower hex, where it was recorded.
    pub checksum: Option<String>,
    pub found_in: FoundIn,
}

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Key(#[from] LegacyKeyError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Resolves logical keys. `owner` is the tenant that may read the old bucket (`LUCI_LEGACY_TENANT`).
#[derive(Debug, Clone, Copy)]
pub struct Resolver<'a> {
    pub storage: &'a Storage,
    pub tenant: TenantId,
    pub owner: Option<TenantId>,
}

impl Resolver<'_> {
    /// The object of a logical key; `None` when there is none that this tenant may read. Of a migrated object it is the copy, also
    /// after an erasure or retention changed that: never the old object again.
    ///
    /// # Errors
    /// `Key` when the text can be no key; `Storage` as for every verified read.
    pub async fn resolve(self, c: &mut PgConnection, key: &str) -> Result<Option<ResolvedObject>, ResolveError> {
        LegacyKey::check(key)?;
        let first = key.split('/').next().unwrap_or_default();
        let is_whole = first.parse::<TenantId>().is_ok();
        if is_whole && first != self.tenant.to_string() {
            return Ok(None);
        }
        let own = if is_whole { key.to_owned() } else { format!("{}/{key}", self.tenant) };
        if let Some(found) = self.own(c, &own).await? {
            return Ok(Some(found));
        }
        let recorded = legacy_objects::among(c, self.tenant, &[key]).await?.remove(key);
        // One without a copy is read where it is.
        let in_place = recorded.as_ref().is_some_and(|object| object.object_path.is_none());
        if let Some(object) = recorded
            && let Some(object_path) = object.object_path
        {
            return self.copy(&object_path, &object.digest, FoundIn::Migrated).await;
        }
        let legacy = LegacyKey::of(key).filter(|_| in_place || self.owner == Some(self.tenant));
        let Some(legacy) = legacy else { return Ok(None) };
        Ok(self.unrecorded(legacy.as_str(), FoundIn::Legacy).await?)
    }

    /// An import or a sector's list. Other objects of the tenant have routes of their own.
    async fn own(self, c: &mut PgConnection, object_path: &str) -> Result<Option<ResolvedObject>, ResolveError> {
        let Ok(key) = object_path.parse::<ObjectKey>() else { return Ok(None) };
        let import = match key.place {
            ObjectLocation::Import { import_id, .. } => imports::get(c, self.tenant, import_id).await?,
            ObjectLocation::Sector { .. } => None,
            _ => return Ok(None),
        };
        if let Some(import) = import {
            let done = import.status == ImportStatus::Completed && import.object_path == object_path;
            let (true, Some(size_bytes), Some(checksum)) = (done, import.size_bytes, import.checksum) else {
                return Ok(None);
            };
            return Ok(Some(
                self.recorded(object_path, &ObjectDigest { size_bytes, checksum }, FoundIn::Tenant).await?,
            ));
        }
        if let Some(object) = legacy_objects::of_copy(c, self.tenant, object_path).await? {
            return self.copy(object_path, &object.digest, FoundIn::Tenant).await;
        }
        Ok(self.unrecorded(object_path, FoundIn::Tenant).await?)
    }

    /// A copy as it was recorded. An erasure overwrites a sector's list where it is, so that one is as it is.
    async fn copy(
        self,
        object_path: &str,
        digest: &ObjectDigest,
        found_in: FoundIn,
    ) -> Result<Option<ResolvedObject>, ResolveError> {
        let key = object_path.parse::<ObjectKey>().map_err(StorageError::from)?;
        if matches!(key.place, ObjectLocation::Sector { .. }) {
            return Ok(self.unrecorded(object_path, found_in).await?);
        }
        Ok(Some(self.recorded(object_path, digest, found_in).await?))
    }

    async fn unrecorded(self, object_path: &str, found_in: FoundIn) -> Result<Option<ResolvedObject>, StorageError> {
        let found = self.storage.head(object_path).await?;
        let object_path = object_path.to_owned();
        Ok(found.map(|found| ResolvedObject { object_path, size_bytes: found.size_bytes, checksum: None, found_in }))
    }

    async fn recorded(
        self,
        object_path: &str,
        digest: &ObjectDigest,
        found_in: FoundIn,
    ) -> Result<ResolvedObject, StorageError> {
        let current = self.storage.current(object_path, digest).await?;
        let ObjectDigest { size_bytes, checksum } = current.digest;
        Ok(ResolvedObject { object_path: current.object_path, size_bytes, checksum: Some(checksum), found_in })
    }
}

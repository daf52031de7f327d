//! The sector of a bucket that a legacy key names. A bucket that the tenant lacks becomes a sector, from its `index.json`.

use std::collections::HashMap;

use luci_config::{AdminError, By};
use luci_schema::{SectorId, TenantId, log::Log};
use luci_storage::{Storage, StorageError};
use serde_json::Value;

use crate::{
    commands::sectors::{self, NewSector},
    legacy::{
        key::{LegacyKey, Pattern},
        migrate::{MigrateError, MigrationMode},
        storage_path::StoragePath,
    },
    store::sectors as stored_sectors,
};

/// The largest `index.json` that is read, in bytes.
const INDEX_BYTES: u64 = 16 << 20;

/// Finds sectors, and remembers them.
pub(super) struct BucketSectors<'a> {
    log: &'a Log,
    storage: &'a Storage,
    tenant: TenantId,
    mode: MigrationMode,
    /// By the folder or id that keys name.
    known: HashMap<String, Option<SectorId>>,
}

impl<'a> BucketSectors<'a> {
    pub fn new(log: &'a Log, storage: &'a Storage, tenant: TenantId, mode: MigrationMode) -> Self {
        Self { log, storage, tenant, mode, known: HashMap::new() }
    }

    /// The sector that a key names; the inner error says why an index has none.
    pub(super) async fn of_key(&mut self, key: &LegacyKey) -> Result<Result<Option<SectorId>, String>, MigrateError> {
        let segments = key.segments();
        let path = StoragePath::of_segments(&segments);
        let name = match (key.pattern, &path) {
            (Pattern::ProcessedUpload | Pattern::BucketIndex, Some(path)) => path.to_string(),
            (Pattern::DocumentedSector, _) => segments[3].to_owned(),
            _ => return Ok(Ok(None)),
        };
        // Why an index has no sector is said again.
        if let Some(known) = self.known.get(&name).filter(|id| id.is_some() || key.pattern != Pattern::BucketIndex) {
            return Ok(Ok(*known));
        }
        let mut c = self.log.pool().acquire().await?;
        let found = match path.filter(|_| key.pattern != Pattern::DocumentedSector) {
            None => stored_sectors::of_bucket(&mut c, self.tenant, &name).await?.map(|sector| sector.id),
            Some(path) => {
                let index = self.index(&path).await?;
                let bucket = index.as_ref().and_then(|index| index["bucketId"].as_str()).map(str::to_owned);
                let mut found = None;
                for id in bucket.into_iter().chain([path.slug()]) {
                    if found.is_none() {
                        found = stored_sectors::of_bucket(&mut c, self.tenant, &id).await?;
                    }
                }
                drop(c);
                match (found, index) {
                    (Some(sector), _) => Some(sector.id),
                    (None, Some(index)) if self.mode == MigrationMode::Copy => {
                        match self.create_sector(&path, &index).await {
                            Ok(id) => Some(id),
                            Err(error) if key.pattern == Pattern::BucketIndex => {
                                return Ok(Err(format!("its bucket cannot become a sector: {error}")));
                            }
                            Err(_) => None,
                        }
                    }
                    (None, _) => None,
                }
            }
        };
        self.known.insert(name, found);
        Ok(Ok(found))
    }

    async fn index(&self, path: &StoragePath) -> Result<Option<Value>, StorageError> {
        let key = path.index_key();
        match self.storage.head(&key).await? {
            Some(found) if found.size_bytes <= INDEX_BYTES => {
                Ok(serde_json::from_slice(&self.storage.get(&key).await?).ok())
            }
            _ => Ok(None),
        }
    }

    async fn create_sector(&self, path: &StoragePath, index: &Value) -> Result<SectorId, AdminError> {
        let bucket = index["bucketId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned);
        let codes = index["sicCodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_code = |code: &&str| (2..=4).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
        let name = index["name"].as_str().map(str::trim).filter(|name| !name.is_empty());
        let new = NewSector {
            slug: Some(path.slug().to_ascii_lowercase().replace(['_', '.'], "-")),
            name: name.map_or_else(|| path.slug(), |name| name.chars().take(200).collect()),
            state: (path.state != "us").then(|| path.state.clone()),
            sic_codes: codes.filter(is_code).map(str::to_owned).collect(),
            legacy_bucket_id: bucket,
        };
        let mut tx = self.log.pool().begin().await?;
        let (sector, _) = sectors::create(&mut tx, self.tenant, self.log, new, &By::system(), |_| None).await?;
        tx.commit().await?;
        self.log.wake();
        Ok(sector.id)
    }
}

//! Copies the objects of the older platform below their tenant, verifies each copy and records it. Nothing is moved or deleted.
//!
//! It may be killed anywhere and run again: new keys derive from the old objects, so a copy that was not recorded yet is found,
//! and a recorded one is not read again.

use futures::{StreamExt, TryStreamExt, stream};
use luci_schema::{Micros, ObjectDigest, TenantId, log::Log, object_key::ObjectKey};
use luci_storage::{ListedObject, Storage, StorageError};

use crate::{
    legacy::{
        bucket_sectors::BucketSectors,
        key::LegacyKey,
        manifest::{ManifestLine, MigrationOutcome, MigrationSummary},
        new_key::{Destination, OldObject},
    },
    store::legacy_objects::{self, LegacyObject},
};

/// Objects that are recorded at once.
const BATCH: usize = 64;
/// Objects that are copied at the same time.
const CONCURRENCY: usize = 8;
/// Folders of LUCI beside those of tenants.
const OWN_FOLDERS: [&str; 1] = ["audit"];

/// Whether objects are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationMode {
    DryRun,
    Copy,
}

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the manifest cannot be written: {0}")]
    Manifest(Box<dyn std::error::Error + Send + Sync>),
}

/// A migration of one tenant.
pub struct Migration<'a> {
    log: &'a Log,
    storage: &'a Storage,
    tenant: TenantId,
    mode: MigrationMode,
    sectors: BucketSectors<'a>,
}

impl<'a> Migration<'a> {
    pub fn new(log: &'a Log, storage: &'a Storage, tenant: TenantId, mode: MigrationMode) -> Self {
        let sectors = BucketSectors::new(log, storage, tenant, mode);
        Self { log, storage, tenant, mode, sectors }
    }

    /// Migrates every object of the older platform. `write` takes the lines of the manifest, some at a time.
    ///
    /// # Errors
    /// When the store cannot be listed, or database or manifest not written. An object that cannot be copied is a line.
    pub async fn run(
        mut self,
        mut write: impl AsyncFnMut(&[ManifestLine]) -> Result<(), MigrateError>,
    ) -> Result<MigrationSummary, MigrateError> {
        let mut summary = MigrationSummary::default();
        for folder in self.storage.folders().await? {
            if folder.parse::<TenantId>().is_ok() || OWN_FOLDERS.contains(&folder.as_str()) {
                continue;
            }
            let mut batches = self.storage.list(&format!("{folder}/")).try_chunks(BATCH);
            while let Some(batch) = batches.try_next().await.map_err(|error| error.1)? {
                let lines = self.batch(batch).await?;
                for line in &lines {
                    summary.add(line);
                }
                write(&lines).await?;
            }
        }
        Ok(summary)
    }

    async fn batch(&mut self, listed: Vec<ListedObject>) -> Result<Vec<ManifestLine>, MigrateError> {
        let keys: Vec<&str> = listed.iter().map(|object| object.path.as_str()).collect();
        let mut c = self.log.pool().acquire().await?;
        let known = legacy_objects::among(&mut c, self.tenant, &keys).await?;
        drop(c);
        let (mut lines, mut open) = (Vec::with_capacity(listed.len()), Vec::new());
        for object in listed {
            let recorded = known.get(&object.path);
            match (LegacyKey::of(&object.path), recorded) {
                (None, _) => {
                    lines.push(ManifestLine::new(&object.path, object.size_bytes, MigrationOutcome::Unknown));
                }
                (Some(_), Some(recorded)) if is_unchanged(&object, recorded) => {
                    lines.push(ManifestLine::of_record(recorded));
                }
                (Some(key), _) => {
                    let old = OldObject { key, size_bytes: object.size_bytes, modified: object.modified };
                    let destination = self.sectors.of_key(&old.key).await?.map(|id| old.destination(self.tenant, id));
                    open.push((old, destination));
                }
            }
        }
        let copies = stream::iter(open).map(|(old, destination)| self.migrate(old, destination));
        let done: Vec<(ManifestLine, Option<LegacyObject>)> = copies.buffer_unordered(CONCURRENCY).collect().await;
        let records: Vec<LegacyObject> = done.iter().filter_map(|(_, record)| record.clone()).collect();
        if !records.is_empty() {
            let mut c = self.log.pool().acquire().await?;
            legacy_objects::record(&mut c, self.tenant, &records).await?;
        }
        lines.extend(done.into_iter().map(|(line, _)| line));
        Ok(lines)
    }

    /// One object; the record to write when it is done.
    async fn migrate(
        &self,
        old: OldObject,
        destination: Result<Destination, String>,
    ) -> (ManifestLine, Option<LegacyObject>) {
        // Before it is read: a change after this is seen by the next migration.
        let copied_at = Micros::now();
        let mut line = ManifestLine::new(old.key.as_str(), old.size_bytes, MigrationOutcome::Failed);
        let done = match &destination {
            Err(why) => Err(why.clone()),
            Ok(Destination::Copy(key)) => {
                line.new_key = Some(key.to_string());
                if self.mode == MigrationMode::DryRun {
                    line.outcome = MigrationOutcome::WouldCopy;
                    return (line, None);
                }
                line.outcome = MigrationOutcome::Copied;
                self.copy(&old, key).await
            }
            Ok(Destination::Table) => {
                line.outcome = MigrationOutcome::InTable;
                if self.mode == MigrationMode::DryRun {
                    return (line, None);
                }
                self.digest(old.key.as_str()).await
            }
        };
        match done {
            Ok(digest) => {
                line.size_bytes = digest.size_bytes;
                line.checksum = Some(digest.checksum.clone());
                let legacy_key = old.key.to_string();
                let record = LegacyObject { legacy_key, object_path: line.new_key.clone(), digest, copied_at };
                (line, Some(record))
            }
            Err(why) => {
                line.outcome = MigrationOutcome::Failed;
                line.error = Some(why);
                (line, None)
            }
        }
    }

    /// Copies an object unless it was copied before, and compares the copy with what was read of the old one.
    async fn copy(&self, old: &OldObject, key: &ObjectKey) -> Result<ObjectDigest, String> {
        let object_path = key.to_string();
        let there = self.storage.head(&object_path).await.map_err(|error| error.to_string())?;
        let read = match there {
            Some(_) => self.digest(old.key.as_str()).await?,
            None => self.write_copy(old, key).await.map_err(|error| error.to_string())?,
        };
        let copy = self.digest(&object_path).await?;
        if copy == read { Ok(read) } else { Err(format!("another object is at {object_path}, or the copy is damaged")) }
    }

    async fn write_copy(&self, old: &OldObject, key: &ObjectKey) -> Result<ObjectDigest, StorageError> {
        let mut writer = self.storage.writer(key, content_type(old.key.file_name()));
        let mut bytes = self.storage.read_from(old.key.as_str(), 0);
        while let Some(chunk) = bytes.try_next().await? {
            writer.write(&chunk).await?;
        }
        let written = writer.finish().await?;
        Ok(ObjectDigest { size_bytes: written.size_bytes, checksum: written.checksum })
    }

    async fn digest(&self, object_path: &str) -> Result<ObjectDigest, String> {
        let found = self.storage.size_checksum(object_path).await;
        found.map(|(size_bytes, checksum)| ObjectDigest { size_bytes, checksum }).map_err(|error| error.to_string())
    }
}

/// Whether the old object is the one that was copied.
fn is_unchanged(object: &ListedObject, recorded: &LegacyObject) -> bool {
    object.size_bytes == recorded.digest.size_bytes && object.modified <= recorded.copied_at
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

//! A bucket, or a folder, that remembers every seal: `seals/{number}.json`, created only if absent. It is worth something where
//! whoever controls database and store may not delete in it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_schema::seal::Seal;
use luci_storage::{Storage, StorageError};

use crate::seal_witness::WitnessedSeal;

const FOLDER: &str = "seals/";

/// The bucket as a witness.
#[derive(Debug, Clone)]
pub struct SealBucket {
    storage: Storage,
    /// The newest seal that was seen or added; 0 before the first look. A year has half a million seals, which are not listed
    /// every minute.
    newest: Arc<AtomicU64>,
}

impl SealBucket {
    pub fn on(storage: Storage) -> Self {
        Self { storage, newest: Arc::default() }
    }

    /// The number of the newest seal, as far as this process knows; 0 when there is none.
    pub(crate) async fn newest(&self) -> Result<u64, StorageError> {
        match self.newest.load(Ordering::Relaxed) {
            0 => Ok(self.last().await?.map_or(0, |seal| seal.seal_id)),
            newest => Ok(newest),
        }
    }

    /// The newest seal that the bucket has.
    pub async fn last(&self) -> Result<Option<WitnessedSeal>, StorageError> {
        let paths = self.paths().await?;
        let Some(path) = paths.last() else { return Ok(None) };
        let seal = WitnessedSeal::from(&self.seal_at(path).await?);
        self.newest.store(seal.seal_id, Ordering::Relaxed);
        Ok(Some(seal))
    }

    /// All seals that the bucket has, in order of their numbers.
    pub async fn read(&self) -> Result<Vec<WitnessedSeal>, StorageError> {
        let mut seals = Vec::new();
        for path in self.paths().await? {
            seals.push(WitnessedSeal::from(&self.seal_at(&path).await?));
        }
        Ok(seals)
    }

    /// Adds a seal; one that is there stays.
    pub async fn add(&self, seal: &Seal) -> Result<(), StorageError> {
        let text = Bytes::from(serde_json::to_vec(seal)?);
        self.storage.put_new(&path(seal.seal_id), text, "application/json").await?;
        self.newest.store(seal.seal_id, Ordering::Relaxed);
        Ok(())
    }

    /// Moves the seals after `last`, which an operator left behind, to `left-behind/{epoch}/`. Needs the right to delete.
    pub(crate) async fn leave_behind(&self, last: u64, epoch: &str) -> Result<(), StorageError> {
        for left in self.paths().await?.into_iter().filter(|found| *found > path(last)) {
            let text = self.storage.get(&left).await?;
            self.storage.put_new(&format!("left-behind/{epoch}/{left}"), text, "application/json").await?;
            self.storage.delete(&left).await?;
        }
        self.newest.store(last, Ordering::Relaxed);
        Ok(())
    }

    /// In order of the seals' numbers.
    async fn paths(&self) -> Result<Vec<String>, StorageError> {
        let mut paths: Vec<String> = self.storage.list(FOLDER).map_ok(|object| object.path).try_collect().await?;
        paths.sort_unstable();
        Ok(paths)
    }

    async fn seal_at(&self, path: &str) -> Result<Seal, StorageError> {
        Ok(serde_json::from_slice(&self.storage.get(path).await?)?)
    }
}

/// Ten digits: the order of the paths is that of the numbers.
fn path(seal_id: u64) -> String {
    format!("{FOLDER}{seal_id:010}.json")
}

//! Seals of a history that an operator left behind by accepting a restored database.

use luci_schema::log::{Log, LogError, last_seal};
use luci_storage::{Storage, StorageError};

use crate::{seal_memory::SealMemory, seal_stream::SealStreamError, sealer::object_path};

#[derive(Debug, thiserror::Error)]
pub enum LeaveBehindError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error("the seal witness cannot be rewritten: {0}")]
    Witness(#[from] std::io::Error),
    #[error(transparent)]
    Broker(#[from] SealStreamError),
}

/// Moves the copies of seals after the database's last one to `audit/left-behind/{epoch}/seals/`, and keeps the witness under
/// another name beside one without them. What was sealed stays provable. Stream SEALS is published again.
pub async fn leave_behind(log: &Log, storage: &Storage, memory: &SealMemory) -> Result<(), LeaveBehindError> {
    let last = last_seal(&mut *log.pool().acquire().await.map_err(LogError::Database)?).await?;
    let last = last.map_or(0, |seal| seal.seal_id);
    for seal_id in last + 1.. {
        let bytes = match storage.get(&object_path(seal_id)).await {
            Ok(bytes) => bytes,
            Err(StorageError::NotFound(_)) => break,
            Err(error) => return Err(error.into()),
        };
        let kept = format!("audit/left-behind/{}/seals/{seal_id:010}.json", log.epoch());
        storage.put_new(&kept, bytes, "application/json").await?;
        storage.delete(&object_path(seal_id)).await?;
    }
    if let Some(witness) = &memory.file {
        witness.leave_behind(last, log.epoch())?;
    }
    if let Some(stream) = &memory.broker {
        stream.leave_behind(last).await?;
    }
    if let Some(bucket) = &memory.bucket {
        bucket.leave_behind(last, log.epoch()).await?;
    }
    Ok(())
}

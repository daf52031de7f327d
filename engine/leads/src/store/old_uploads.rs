//! Ends uploads whose URL has expired: their staging objects are removed, and what was never completed is rejected.

use luci_schema::{Micros, object_key::ObjectKey};
use luci_storage::{Storage, StorageError};
use sqlx::PgConnection;

use super::imports::{self, ImportError, ImportStatus};

#[derive(Debug, thiserror::Error)]
pub enum OldUploadsError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// From the announcement of an upload: its URL is valid for an hour, a slow one may end long after, and a person may want to
/// complete it the next day with another mapping.
const KEPT_MS: i64 = 25 * 3_600_000;
/// The same for an upload in parts, which may be continued after days.
pub const PARTS_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Uploads handled at once.
const BATCH_SIZE: u32 = 200;

/// Removes the staging objects of uploads that were announced more than 25 hours ago (in parts: 7 days), also those that a client put after the
/// upload was completed. Of a rejected upload, the copy goes too. Returns how many uploads it ended.
pub async fn remove(c: &mut PgConnection, storage: &Storage) -> Result<u64, OldUploadsError> {
    let now = Micros::now();
    let before = (now.plus_millis(-KEPT_MS), now.plus_millis(-PARTS_KEPT_MS));
    let expired = ImportError {
        code: "upload_expired".into(),
        message: "the upload was not completed within 25 hours (in parts: 7 days); announce a new one".into(),
    };
    // First, so that no call completes what is removed below.
    imports::expire_staged(c, before, &expired).await?;
    let mut removed = 0;
    loop {
        let batch = imports::staged(c, before, BATCH_SIZE).await?;
        for upload in &batch {
            if upload.status == ImportStatus::Rejected {
                storage.delete(&upload.object_path).await?;
            }
            if upload.in_parts {
                storage.remove_parts(upload.tenant, upload.id).await?;
            } else {
                storage.delete(&ObjectKey::staging(upload.tenant, upload.id).to_string()).await?;
            }
            imports::staging_removed(c, upload.tenant, upload.id).await?;
            removed += 1;
        }
        if batch.len() < BATCH_SIZE as usize {
            return Ok(removed);
        }
    }
}

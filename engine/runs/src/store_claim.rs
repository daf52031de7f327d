//! At start: the store is the one that belongs to the database, by the id that both hold.

use std::time::Duration;

use luci_storage::{Storage, StorageError};
use sqlx::{PgPool, Row};

/// Why a process does not use its store.
#[derive(Debug, thiserror::Error)]
pub enum StoreClaimError {
    #[error(
        "{store} cannot be used: its marker luci-store.json is missing, but the database has objects in it. Mount or restore \
         the store; if its objects are really lost, put back the marker {marker}"
    )]
    Vanished { store: String, marker: String },
    #[error(
        "{store} cannot be used: its marker luci-store.json has id {found}, the database belongs to store {expected}. \
         Set LUCI_STORE_URL to that store, or restore it"
    )]
    Foreign { store: String, found: String, expected: String },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Compares the store's marker with the database, and makes the marker at the first start. A known store that does not answer
/// or takes no writes is waited for.
pub async fn claim_store(pool: &PgPool, storage: &Storage) -> Result<(), StoreClaimError> {
    let claimed = compare(pool, storage).await;
    if matches!(claimed, Err(StoreClaimError::Vanished { .. })) {
        // Opening the store made it; an empty folder must not look like a store.
        storage.remove_new_folder();
    }
    claimed?;
    if let Err(fault) = storage.health(Duration::ZERO).await {
        tracing::warn!(store = ?storage, %fault, "object store cannot be used yet; blocks wait for it");
    }
    Ok(())
}

async fn compare(pool: &PgPool, storage: &Storage) -> Result<(), StoreClaimError> {
    let store = format!("{storage:?}");
    let mut tx = pool.begin().await?;
    let row =
        sqlx::query("select store_id, marked_at is not null as marked, had_objects from log.object_store for update")
            .fetch_one(&mut *tx)
            .await?;
    let expected: String = row.try_get("store_id")?;
    let (marked, had_objects): (bool, bool) = (row.try_get("marked")?, row.try_get("had_objects")?);
    let found = match storage.store_id().await {
        Err(error) if marked && error.is_unavailable() => {
            tracing::warn!(store, %error, "object store does not answer");
            storage.require_id(&expected);
            return Ok(());
        }
        found => found?,
    };
    let id = match (found, marked) {
        (Some(found), true) if found != expected => return Err(StoreClaimError::Foreign { store, found, expected }),
        // A database that is new beside a store that is not: the keys hold ids, so nothing of the store is overwritten.
        (Some(found), false) => {
            tracing::warn!(store, "the store was used with another database before");
            found
        }
        (Some(found), true) => found,
        (None, marked) => {
            if marked || (had_objects && storage.is_empty().await?) {
                let marker = format!("{{\"storeId\":\"{expected}\"}}");
                return Err(StoreClaimError::Vanished { store, marker });
            }
            storage.mark(&expected).await?;
            // Another process may have been faster.
            storage.store_id().await?.unwrap_or(expected)
        }
    };
    if !marked {
        sqlx::query("update log.object_store set store_id = $1, marked_at = clock_timestamp()")
            .bind(&id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    storage.require_id(&id);
    Ok(())
}

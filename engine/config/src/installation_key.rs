//! Whether the master key is the one of this database: by its fingerprint, and before there was one by a stored key that it must
//! open.

use sqlx::{PgConnection, PgPool};

use crate::vault::{Vault, VaultError};

/// Why a process does not start with its master key.
#[derive(Debug, thiserror::Error)]
pub enum InstallationKeyError {
    #[error(
        "the master key is not the one that this database was used with: restore master.key (or LUCI_MASTER_KEY) from a backup; \
         with another key no stored secret can be read"
    )]
    OtherMasterKey,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Records the fingerprint at the first start, and compares it later.
pub async fn check_master_key(pool: &PgPool, vault: &Vault) -> Result<(), InstallationKeyError> {
    let mut tx = pool.begin().await?;
    let own = vault.fingerprint();
    if recorded(&mut tx).await?.is_none() {
        if !opens_a_stored_key(&mut tx, vault).await? {
            return Err(InstallationKeyError::OtherMasterKey);
        }
        sqlx::query(
            "insert into log.installation_keys (name, fingerprint) values ('master', $1) on conflict do nothing",
        )
        .bind(&own)
        .execute(&mut *tx)
        .await?;
    }
    // Another process may have been first.
    let recorded = recorded(&mut tx).await?;
    tx.commit().await?;
    if recorded == Some(own) { Ok(()) } else { Err(InstallationKeyError::OtherMasterKey) }
}

async fn recorded(c: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select fingerprint from log.installation_keys where name = 'master'").fetch_optional(c).await
}

/// `true` when no key is stored.
async fn opens_a_stored_key(c: &mut PgConnection, vault: &Vault) -> Result<bool, sqlx::Error> {
    match vault.open_any(c).await {
        Ok(()) => Ok(true),
        Err(VaultError::Database(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

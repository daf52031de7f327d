//! What became of a recorded object that is not there: an erasure replaced it, or retention ended it. It is asked only when an
//! object is missing, so reads of the others cost nothing.

use luci_schema::{FoundObject, ObjectDigest, TenantId, object_version};
use sqlx::PgPool;

use crate::{Storage, StorageError};

/// Where the content of a recorded object is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentObject {
    pub object_path: String,
    pub digest: ObjectDigest,
}

impl Storage {
    /// The same store, which knows what erasures and retention did: they record it in this database.
    #[must_use]
    pub fn with_versions(self, pool: PgPool) -> Self {
        Self(self.0, Some(pool))
    }

    /// Verifies the object, or the version that replaced it, and says where that is.
    ///
    /// # Errors
    /// `Integrity` when it is missing or differs; `Expired`, `Erased` when it was removed.
    pub async fn current(&self, object_path: &str, recorded: &ObjectDigest) -> Result<CurrentObject, StorageError> {
        let verified = self.verify_whole(object_path, recorded).await?;
        Ok(CurrentObject { object_path: verified.object_path().to_owned(), digest: verified.digest().clone() })
    }

    /// What replaced an object that could not be read; the same error when nothing did.
    pub(crate) async fn replacement(
        &self,
        error: StorageError,
        object_path: &str,
    ) -> Result<CurrentObject, StorageError> {
        let missing = matches!(&error, StorageError::Integrity(fault) if matches!(fault.found, FoundObject::Missing));
        let tenant = object_path.split('/').next().and_then(|tenant| tenant.parse::<TenantId>().ok());
        let (true, Some(pool), Some(tenant)) = (missing, &self.1, tenant) else { return Err(error) };
        let mut c = pool.acquire().await.map_err(StorageError::Versions)?;
        let found = object_version::of(&mut c, tenant, object_path).await.map_err(StorageError::Versions)?;
        let Some(version) = found else { return Err(error) };
        let object_path = object_path.to_owned();
        match (version.expired_at, version.now, version.erased_at) {
            (Some(at), _, _) => Err(StorageError::Expired { object_path, at }),
            (None, Some((object_path, digest)), _) => Ok(CurrentObject { object_path, digest }),
            (None, None, Some(at)) => Err(StorageError::Erased { object_path, at }),
            (None, None, None) => Err(error),
        }
    }
}

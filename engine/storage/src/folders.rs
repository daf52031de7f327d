//! The folders in the root of the store: below one is all of a tenant, or what other software wrote.

use object_store::ObjectStore;

use crate::{Storage, StorageError};

impl Storage {
    /// Their names, in order. Objects below them are not listed.
    pub async fn folders(&self) -> Result<Vec<String>, StorageError> {
        let listed = self.objects().list_with_delimiter(None).await?;
        let mut names: Vec<String> = listed.common_prefixes.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        Ok(names)
    }
}

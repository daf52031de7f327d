//! Completes uploads: compares the object with what was announced, and deletes it when it differs.

use luci_schema::object_key::ObjectKey;

use crate::{Storage, StorageError, Written};

/// The announced properties of an upload. `checksum` is SHA-256 in hex, when announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadExpected {
    pub size_bytes: Option<u64>,
    pub max_bytes: u64,
    pub content_type: String,
    pub checksum: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum UploadRefused {
    #[error("nothing was uploaded yet")]
    Missing,
    #[error("the upload has {found} bytes, at most {max} are accepted")]
    TooLarge { found: u64, max: u64 },
    #[error("the upload has {found} bytes, {expected} were announced")]
    Size { expected: u64, found: u64 },
    #[error("the upload is `{found}`, `{expected}` was announced")]
    ContentType { expected: String, found: String },
    #[error("the upload has SHA-256 {found}, {expected} was announced")]
    Checksum { expected: String, found: String },
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl Storage {
    /// Verifies an uploaded object and returns its size and checksum. Deletes an object that differs.
    pub async fn complete_upload(&self, key: &ObjectKey, expected: &UploadExpected) -> Result<Written, UploadRefused> {
        let verified = self.verify_upload(&key.to_string(), expected).await;
        if matches!(
            verified,
            Err(UploadRefused::TooLarge { .. }
                | UploadRefused::Size { .. }
                | UploadRefused::ContentType { .. }
                | UploadRefused::Checksum { .. })
        ) {
            self.delete(&key.to_string()).await?;
        }
        verified
    }

    async fn verify_upload(&self, object_path: &str, expected: &UploadExpected) -> Result<Written, UploadRefused> {
        let stored = self.head(object_path).await?.ok_or(UploadRefused::Missing)?;
        if stored.size_bytes > expected.max_bytes {
            return Err(UploadRefused::TooLarge { found: stored.size_bytes, max: expected.max_bytes });
        }
        if let Some(size) = expected.size_bytes.filter(|size| *size != stored.size_bytes) {
            return Err(UploadRefused::Size { expected: size, found: stored.size_bytes });
        }
        if let Some(found) = stored.content_type.filter(|found| *found != expected.content_type) {
            return Err(UploadRefused::ContentType { expected: expected.content_type.clone(), found });
        }
        let (size_bytes, checksum) = self.size_checksum(object_path).await?;
        match &expected.checksum {
            Some(announced) if !announced.eq_ignore_ascii_case(&checksum) => {
                Err(UploadRefused::Checksum { expected: announced.clone(), found: checksum })
            }
            _ => Ok(Written { size_bytes, checksum }),
        }
    }
}

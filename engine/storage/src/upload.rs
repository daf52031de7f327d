//! Completes uploads: copies what the client put to its staging key, and verifies the copy.
//!
//! A client can put to the staging key until its URL expires, so what was verified there could be replaced afterwards. No URL
//! allows to put to the key of the copy, and it is made only once.

use std::sync::Arc;

use luci_schema::object_key::ObjectKey;
use object_store::{CopyMode, CopyOptions, ObjectStore};

use crate::{Storage, StorageError, VerifiedObject, path};

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
    #[error("{} of the parts have not arrived: {numbers:?}", .numbers.len())]
    PartsMissing { numbers: Vec<u32> },
    #[error("part {number} is not what was announced, and was removed; send it again")]
    PartDiffers { number: u32 },
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl UploadExpected {
    /// Compares what is known of an object without reading it.
    pub(crate) fn compare(&self, size_bytes: u64, content_type: Option<String>) -> Result<(), UploadRefused> {
        if size_bytes > self.max_bytes {
            return Err(UploadRefused::TooLarge { found: size_bytes, max: self.max_bytes });
        }
        if let Some(expected) = self.size_bytes.filter(|size| *size != size_bytes) {
            return Err(UploadRefused::Size { expected, found: size_bytes });
        }
        match content_type {
            Some(found) if !same_media_type(&found, &self.content_type) => {
                Err(UploadRefused::ContentType { expected: self.content_type.clone(), found })
            }
            _ => Ok(()),
        }
    }
}

impl Storage {
    /// Copies an upload from its staging key to `key`. Once `key` has an object, that one stays. One caller at a time: not every
    /// S3 store copies conditionally.
    ///
    /// # Errors
    /// What is known without reading the upload is compared before it is copied.
    pub async fn take_upload(
        &self,
        staging: &ObjectKey,
        key: &ObjectKey,
        expected: &UploadExpected,
    ) -> Result<(), UploadRefused> {
        let (from, to) = (staging.to_string(), key.to_string());
        if self.head(&to).await?.is_some() {
            return Ok(());
        }
        let upload = self.head(&from).await?.ok_or(UploadRefused::Missing)?;
        expected.compare(upload.size_bytes, upload.content_type)?;
        match self.copy_new(&from, &to).await {
            Err(StorageError::NotFound(_)) => Err(UploadRefused::Missing),
            copied => Ok(copied.map(drop)?),
        }
    }

    /// Copies an object unless the destination exists; returns whether it was copied.
    async fn copy_new(&self, from: &str, to: &str) -> Result<bool, StorageError> {
        self.check_folder()?;
        let (from, at) = (path(from)?, path(to)?);
        match self.objects().copy_opts(&from, &at, CopyOptions::new().with_mode(CopyMode::Create)).await {
            Ok(()) => return Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(false),
            Err(error @ object_store::Error::NotFound { .. }) => return Err(error.into()),
            Err(error) => tracing::debug!(%error, "object not copied, trying without a condition"),
        }
        if self.head(to).await?.is_some() {
            return Ok(false);
        }
        self.objects().copy_opts(&from, &at, CopyOptions::new().with_mode(CopyMode::Overwrite)).await?;
        Ok(true)
    }

    /// Reads an upload at its key and compares it with what was announced. What is read of it later is compared with what was
    /// read now.
    pub async fn verify_upload(
        &self,
        key: &ObjectKey,
        expected: &UploadExpected,
    ) -> Result<Arc<VerifiedObject>, UploadRefused> {
        let object_path = key.to_string();
        let copy = self.head(&object_path).await?.ok_or(UploadRefused::Missing)?;
        expected.compare(copy.size_bytes, copy.content_type)?;
        let found = self.read_whole(&object_path).await?;
        let digest = found.digest();
        expected.compare(digest.size_bytes, None)?;
        match &expected.checksum {
            Some(announced) if !announced.eq_ignore_ascii_case(&digest.checksum) => {
                Err(UploadRefused::Checksum { expected: announced.clone(), found: digest.checksum.clone() })
            }
            _ => Ok(found),
        }
    }
}

/// The media type of a content type: lower case, without parameters (`; charset=…`).
pub fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether two content types are of one media type: `TEXT/CSV` and `text/csv; charset=utf-8` are.
pub fn same_media_type(one: &str, other: &str) -> bool {
    media_type(one) == media_type(other)
}

//! The object store: a local folder or an S3 bucket, behind one type.
//!
//! Writes are atomic: a put is a temporary file and a rename, or a multipart upload that is completed at the end. The local
//! folder does not fsync each object: artifacts can be rebuilt from the inputs in the log.

mod artifact;
mod folders;
mod health;
mod parts;
mod presign;
mod read;
#[cfg(test)]
mod tests;
mod upload;
#[cfg(test)]
mod upload_tests;
mod verify;
mod versions;
mod write;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use luci_schema::{
    Micros, ObjectFault,
    object_key::{KeyError, ObjectKey},
};
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists},
    local::LocalFileSystem,
    path::Path,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use url::Url;

pub use crate::artifact::ArtifactWriter;
pub use crate::health::StoreFault;
use crate::health::StoreState;
pub use crate::parts::{ArrivedPart, PartPlan, PartedUpload, StagedPart};
pub use crate::presign::{BlobAccess, BlobRefused, SignedUrl, checksum_header};
pub use crate::upload::{UploadExpected, UploadRefused, media_type, same_media_type};
pub use crate::verify::VerifiedObject;
pub use crate::versions::CurrentObject;
pub use crate::write::{ObjectWriter, Written};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("no object at `{0}`")]
    NotFound(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("`{0}` is not a valid object path")]
    Path(String),
    #[error("a line of `{0}` is longer than 8 MiB")]
    LineTooLong(String),
    #[error("a value cannot be serialised as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the folder {0} cannot be used as a store: {1}")]
    Folder(PathBuf, std::io::Error),
    #[error("the object store cannot be configured: {0}")]
    Setup(String),
    /// The object is missing or is not what was recorded.
    #[error("{0}")]
    Integrity(Box<ObjectFault>),
    /// Retention removed the object.
    #[error("retention removed `{object_path}` at {}", .at.rfc3339())]
    Expired { object_path: String, at: Micros },
    /// All of the object was about people who were erased.
    #[error("`{object_path}` was erased at {}", .at.rfc3339())]
    Erased { object_path: String, at: Micros },
    /// What became of a removed object cannot be read now.
    #[error("the versions of an object cannot be read: {0}")]
    Versions(sqlx::Error),
    #[error("the object store cannot be used: {0}")]
    Unusable(StoreFault),
    #[error("the object store failed: {0}")]
    Store(object_store::Error),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NotFound(path),
            other => Self::Store(other),
        }
    }
}

impl StorageError {
    /// Whether the store is to blame and not the object: the same can succeed when the store is back.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unusable(_) | Self::Folder(..) | Self::Setup(_) | Self::Store(_) | Self::Versions(_))
    }
}

/// An S3 bucket. `endpoint` is `None` for AWS itself. Requests use path-style addresses.
#[derive(Debug, Clone)]
pub struct S3Config {
    pub bucket: String,
    pub region: String,
    pub endpoint: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

/// Metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    pub size_bytes: u64,
    /// `None` in a local folder, which stores no content types.
    pub content_type: Option<String>,
    /// The store's entity tag, without quotes: another content has another one.
    pub entity_tag: Option<String>,
    /// By the store's clock.
    pub modified: Micros,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub path: String,
    pub size_bytes: u64,
    /// By the store's clock.
    pub modified: Micros,
}

#[derive(Clone)]
pub struct Storage(Arc<Inner>, Option<PgPool>);

struct Inner {
    objects: Arc<dyn ObjectStore>,
    signing: Signing,
    state: StoreState,
}

enum Signing {
    Local {
        key: SecretString,
        public_url: String,
    },
    /// With the endpoint's URL.
    S3(Arc<AmazonS3>, String),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({})", self.0.objects)
    }
}

impl Storage {
    /// A folder, created when missing. `public_url` is the gateway's URL without a trailing slash; its `/api/blobs/{key}`
    /// serves the URLs that are signed with `signing_key`.
    pub fn local(dir: PathBuf, signing_key: SecretString, public_url: String) -> Result<Self, StorageError> {
        let made = !dir.exists();
        std::fs::create_dir_all(&dir).map_err(|error| StorageError::Folder(dir.clone(), error))?;
        let objects = Arc::new(LocalFileSystem::new_with_prefix(&dir)?);
        let state = StoreState { folder: Some(dir), made, ..StoreState::default() };
        Ok(Self(Arc::new(Inner { objects, signing: Signing::Local { key: signing_key, public_url }, state }), None))
    }

    /// A bucket. Connects at the first use; the process must have a default rustls provider.
    pub fn s3(config: S3Config) -> Result<Self, StorageError> {
        let url = config.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", config.region));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(config.bucket)
            .with_region(config.region)
            .with_access_key_id(config.access_key_id)
            .with_secret_access_key(config.secret_access_key.expose_secret())
            .with_virtual_hosted_style_request(false)
            .with_copy_if_not_exists(S3CopyIfNotExists::Header("if-none-match".into(), "*".into()))
            // The defaults (10 retries, 3 minutes) take longer than a worker's lease.
            .with_retry(RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(30), ..Default::default() });
        if let Some(endpoint) = config.endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        let s3 = Arc::new(builder.build().map_err(|error| StorageError::Setup(error.to_string()))?);
        Ok(Self(
            Arc::new(Inner { objects: s3.clone(), signing: Signing::S3(s3, url), state: StoreState::default() }),
            None,
        ))
    }

    /// The URL of the bucket's server, without a path; `None` for the local store, whose URLs are the gateway's.
    pub fn bucket_origin(&self) -> Option<String> {
        match &self.0.signing {
            Signing::Local { .. } => None,
            Signing::S3(_, url) => Some(Url::parse(url).ok()?.origin().ascii_serialization()),
        }
    }

    fn state(&self) -> &StoreState {
        &self.0.state
    }

    fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.0.objects
    }

    /// Attributes of a put: S3 gets the content type; the local folder refuses all attributes.
    fn attributes(&self, content_type: &str) -> Attributes {
        match self.0.signing {
            Signing::Local { .. } => Attributes::new(),
            Signing::S3(..) => Attributes::from_iter([(Attribute::ContentType, content_type.to_owned())]),
        }
    }

    /// Writes a small object in one request; replaces an object of the same key.
    pub async fn put(&self, key: &ObjectKey, bytes: Bytes, content_type: &str) -> Result<(), StorageError> {
        self.check_folder()?;
        let options = PutOptions { attributes: self.attributes(content_type), ..Default::default() };
        self.objects().put_opts(&path(&key.to_string())?, PutPayload::from_bytes(bytes), options).await?;
        Ok(())
    }

    /// Writes an object of any size in pieces. It is visible only after `finish`.
    pub fn writer(&self, key: &ObjectKey, content_type: &str) -> ObjectWriter {
        ObjectWriter::new(self.clone(), key, content_type)
    }

    /// Deletes an object. A missing object is no error.
    pub async fn delete(&self, object_path: &str) -> Result<(), StorageError> {
        match self.objects().delete(&path(object_path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Validates a path. It is used as it is: one that would need escaping is refused.
fn path(object_path: &str) -> Result<Path, StorageError> {
    let valid = !object_path.is_empty() && object_path.len() <= 1024 && !object_path.starts_with('/');
    match Path::parse(object_path) {
        Ok(path) if valid && path.as_ref() == object_path => Ok(path),
        _ => Err(StorageError::Path(object_path.chars().take(80).collect())),
    }
}

//! The object store: a local folder or a bucket that speaks S3, behind one type.
//!
//! Objects appear whole or not at all: a put is a temporary file and a rename, or a multipart upload that is completed
//! at the end. The local folder is not synced per object: artifacts can be made again from the log's inputs.

mod presign;
mod read;
#[cfg(test)]
mod tests;
mod upload;
mod write;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use luci_schema::object_key::{KeyError, ObjectKey};
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path,
};
use secrecy::{ExposeSecret, SecretString};

pub use presign::{BlobAccess, BlobRefused, SignedUrl};
pub use upload::{UploadExpected, UploadRefused};
pub use write::{ArtifactWriter, ObjectWriter, Written};

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("no object at `{0}`")]
    NotFound(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("`{0}` is not a path of the store")]
    Path(String),
    #[error("a line of `{0}` is longer than 8 MiB")]
    LineTooLong(String),
    #[error("a value cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the folder {0} cannot be used as a store: {1}")]
    Folder(PathBuf, std::io::Error),
    #[error("the store cannot be set up: {0}")]
    Setup(String),
    #[error("the store failed: {0}")]
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

/// A bucket and how to reach it. `endpoint` is absent for AWS itself; the others are addressed in path style.
#[derive(Debug, Clone)]
pub struct S3Config {
    pub bucket: String,
    pub region: String,
    pub endpoint: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub size_bytes: u64,
    /// Absent in a local folder, which keeps no types.
    pub content_type: Option<String>,
}

#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    objects: Arc<dyn ObjectStore>,
    signing: Signing,
}

enum Signing {
    Local { key: SecretString, public_url: String },
    S3(Arc<AmazonS3>),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({})", self.0.objects)
    }
}

impl Storage {
    /// A folder, made when missing. `public_url` is the gateway's address without a slash at the end, below which
    /// `/api/blobs/{key}` answers the URLs that are signed with `signing_key`.
    pub fn local(dir: PathBuf, signing_key: SecretString, public_url: String) -> Result<Self, StorageError> {
        std::fs::create_dir_all(&dir).map_err(|error| StorageError::Folder(dir.clone(), error))?;
        let objects = Arc::new(LocalFileSystem::new_with_prefix(dir)?);
        Ok(Self(Arc::new(Inner { objects, signing: Signing::Local { key: signing_key, public_url } })))
    }

    /// A bucket. Nothing is sent until the first use; the process must have a default rustls provider.
    pub fn s3(config: S3Config) -> Result<Self, StorageError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(config.bucket)
            .with_region(config.region)
            .with_access_key_id(config.access_key_id)
            .with_secret_access_key(config.secret_access_key.expose_secret())
            .with_virtual_hosted_style_request(false)
            // The defaults (10 tries, 3 minutes) outlast a worker's lease.
            .with_retry(RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(30), ..Default::default() });
        if let Some(endpoint) = config.endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        let s3 = Arc::new(builder.build().map_err(|error| StorageError::Setup(error.to_string()))?);
        Ok(Self(Arc::new(Inner { objects: s3.clone(), signing: Signing::S3(s3) })))
    }

    fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.0.objects
    }

    /// Options of a put: the type goes along to S3, while a local folder refuses any attribute.
    fn attributes(&self, content_type: &str) -> Attributes {
        match self.0.signing {
            Signing::Local { .. } => Attributes::new(),
            Signing::S3(_) => Attributes::from_iter([(Attribute::ContentType, content_type.to_owned())]),
        }
    }

    /// Writes a small object as a whole; an earlier one of the same key is replaced.
    pub async fn put(&self, key: &ObjectKey, bytes: Bytes, content_type: &str) -> Result<(), StorageError> {
        let options = PutOptions { attributes: self.attributes(content_type), ..Default::default() };
        self.objects().put_opts(&path(&key.to_string())?, PutPayload::from_bytes(bytes), options).await?;
        Ok(())
    }

    /// Writes a small object below a path of our own, unless there is one; answers whether it was written. For one writer at
    /// a time: it looks and then writes, since not every store that speaks S3 knows conditional writes.
    pub async fn put_new(&self, object_path: &str, bytes: Bytes, content_type: &str) -> Result<bool, StorageError> {
        if self.head(object_path).await?.is_some() {
            return Ok(false);
        }
        let options = PutOptions { attributes: self.attributes(content_type), ..Default::default() };
        self.objects().put_opts(&path(object_path)?, PutPayload::from_bytes(bytes), options).await?;
        Ok(true)
    }

    /// An object of any size, as a stream of writes. Nothing is visible before `finish`.
    pub fn writer(&self, key: &ObjectKey, content_type: &str) -> ObjectWriter {
        ObjectWriter::new(self.clone(), key, content_type)
    }

    /// Takes an object away; one that is not there is already gone.
    pub async fn delete(&self, object_path: &str) -> Result<(), StorageError> {
        match self.objects().delete(&path(object_path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A path as recorded; kept as it is, never escaped into another key.
fn path(object_path: &str) -> Result<Path, StorageError> {
    let fits = !object_path.is_empty() && object_path.len() <= 1024 && !object_path.starts_with('/');
    match Path::parse(object_path) {
        Ok(path) if fits && path.as_ref() == object_path => Ok(path),
        _ => Err(StorageError::Path(object_path.chars().take(80).collect())),
    }
}

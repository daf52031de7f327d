//! Writes objects in pieces, with about 8 MiB in memory; size and SHA-256 are computed on the way.

use luci_schema::object_key::ObjectKey;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload};
use sha2::{Digest, Sha256};

use crate::{Storage, StorageError, path};

/// Smaller objects are one put; larger ones are uploaded in parts of this size (S3 requires at least 5 MiB).
const PART: usize = 8 << 20;
/// Initial capacity of the buffer: growing from nothing would copy a small object a dozen times.
const INITIAL_CAPACITY: usize = 1 << 20;

/// The size of a written object in bytes, and its SHA-256 in lower hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub size_bytes: u64,
    pub checksum: String,
}

/// An object being written. When dropped before `finish`, no object is visible.
pub struct ObjectWriter {
    storage: Storage,
    object_path: String,
    content_type: String,
    buffer: Vec<u8>,
    hash: Sha256,
    size_bytes: u64,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl ObjectWriter {
    pub(super) fn new(storage: Storage, key: &ObjectKey, content_type: &str) -> Self {
        Self {
            storage,
            object_path: key.to_string(),
            content_type: content_type.into(),
            buffer: Vec::with_capacity(INITIAL_CAPACITY),
            hash: Sha256::new(),
            size_bytes: 0,
            parts: None,
        }
    }

    /// Bytes written so far.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes + self.buffer.len() as u64
    }

    /// Adds bytes; uploads a part when 8 MiB are buffered.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.buffer.extend_from_slice(bytes);
        self.send_full_part().await
    }

    async fn send_full_part(&mut self) -> Result<(), StorageError> {
        if self.buffer.len() < PART {
            return Ok(());
        }
        let mut part = std::mem::take(&mut self.buffer);
        // Some S3 stores require that all parts but the last have the same size.
        let rest = part.split_off(part.len() - part.len() % PART);
        for part in part.chunks(PART) {
            self.send(part.to_vec()).await?;
        }
        self.buffer = rest;
        Ok(())
    }

    async fn send(&mut self, part: Vec<u8>) -> Result<(), StorageError> {
        self.count(&part);
        self.put_part(part).await
    }

    async fn put_part(&mut self, part: Vec<u8>) -> Result<(), StorageError> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let attributes = self.storage.attributes(&self.content_type);
                let options = PutMultipartOptions { attributes, ..Default::default() };
                self.storage.check_folder()?;
                let at = path(&self.object_path)?;
                none.insert(self.storage.objects().put_multipart_opts(&at, options).await?)
            }
        };
        Ok(parts.put_part(part.into()).await?)
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    /// Makes the object visible; replaces an object of the same key.
    pub async fn finish(self) -> Result<Written, StorageError> {
        Ok(self.finish_if(|_| true).await?.0)
    }

    /// Makes the object visible if it is what is wanted; else nothing is, and an object of the same key stays. Returns what was
    /// written, and whether it is visible.
    pub async fn finish_if(mut self, wanted: impl FnOnce(&Written) -> bool) -> Result<(Written, bool), StorageError> {
        let last = std::mem::take(&mut self.buffer);
        self.count(&last);
        let checksum = hex::encode(std::mem::take(&mut self.hash).finalize());
        let written = Written { size_bytes: self.size_bytes, checksum };
        if !wanted(&written) {
            return Ok((written, false));
        }
        if self.parts.is_some() {
            if !last.is_empty() {
                self.put_part(last).await?;
            }
            if let Some(parts) = &mut self.parts {
                parts.complete().await?;
            }
            self.parts = None;
        } else {
            self.storage.check_folder()?;
            let options = PutOptions { attributes: self.storage.attributes(&self.content_type), ..Default::default() };
            self.storage.objects().put_opts(&path(&self.object_path)?, PutPayload::from(last), options).await?;
        }
        Ok((written, true))
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        // A bucket keeps (and bills) the parts of an upload that is neither completed nor aborted.
        if let (Some(mut parts), Ok(runtime)) = (self.parts.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { parts.abort().await });
        }
    }
}

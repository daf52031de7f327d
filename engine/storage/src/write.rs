//! Writes objects in pieces, with about 8 MiB in memory; size and SHA-256 are computed on the way.

use luci_schema::{
    ArtifactId, RunId, TenantId,
    event::Artifact,
    object_key::{ObjectKey, Word},
};
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Storage, StorageError, path};

/// Smaller objects are one put; larger ones are uploaded in parts of this size (S3 requires at least 5 MiB).
const PART: usize = 8 << 20;
/// Initial capacity of the buffer: growing from nothing would copy the object of a block a dozen times.
const INITIAL_CAPACITY: usize = 1 << 20;
const NDJSON: &str = "application/x-ndjson";

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
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let attributes = self.storage.attributes(&self.content_type);
                let options = PutMultipartOptions { attributes, ..Default::default() };
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
    pub async fn finish(mut self) -> Result<Written, StorageError> {
        let last = std::mem::take(&mut self.buffer);
        if self.parts.is_some() {
            if !last.is_empty() {
                self.send(last).await?;
            }
            if let Some(parts) = &mut self.parts {
                parts.complete().await?;
            }
            self.parts = None;
        } else {
            self.count(&last);
            let options = PutOptions { attributes: self.storage.attributes(&self.content_type), ..Default::default() };
            self.storage.objects().put_opts(&path(&self.object_path)?, PutPayload::from(last), options).await?;
        }
        let checksum = hex::encode(std::mem::take(&mut self.hash).finalize());
        Ok(Written { size_bytes: self.size_bytes, checksum })
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

/// An NDJSON artifact being written, one lead a line.
pub struct ArtifactWriter {
    object: ObjectWriter,
    artifact_id: ArtifactId,
    artifact_type: Word,
    leads: u64,
}

impl Storage {
    /// Opens the artifact `{tenant}/pipelines/{run}/artifacts/{type}_{unix}_{id}.ndjson`. Writing the same key again replaces
    /// it. Fails only when `artifact_type` is not a valid `Word` of object keys.
    pub fn write_artifact(
        &self,
        tenant: TenantId,
        run: RunId,
        artifact_type: &str,
        unix: i64,
        id: ArtifactId,
    ) -> Result<ArtifactWriter, StorageError> {
        let artifact_type: Word = artifact_type.parse()?;
        let key = ObjectKey::artifact(tenant, run, artifact_type.clone(), unix, id);
        Ok(ArtifactWriter { object: self.writer(&key, NDJSON), artifact_id: id, artifact_type, leads: 0 })
    }
}

impl ArtifactWriter {
    /// Lines written so far.
    pub const fn leads(&self) -> u64 {
        self.leads
    }

    /// Adds one line. Serialised JSON contains no raw newline.
    pub async fn line(&mut self, value: &impl Serialize) -> Result<(), StorageError> {
        let before = self.object.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.object.buffer, value) {
            self.object.buffer.truncate(before);
            return Err(error.into());
        }
        self.end_line().await
    }

    /// Adds a line that is serialised JSON already, without its newline.
    pub async fn raw_line(&mut self, json: &[u8]) -> Result<(), StorageError> {
        self.object.buffer.extend_from_slice(json);
        self.end_line().await
    }

    async fn end_line(&mut self) -> Result<(), StorageError> {
        self.object.buffer.push(b'\n');
        self.leads += 1;
        self.object.send_full_part().await
    }

    /// Makes the artifact visible.
    pub async fn finish(self, parents: Vec<ArtifactId>) -> Result<Artifact, StorageError> {
        let object_path = self.object.object_path.clone();
        let written = self.object.finish().await?;
        Ok(Artifact {
            artifact_id: self.artifact_id,
            artifact_type: self.artifact_type.to_string(),
            object_path,
            mime_type: NDJSON.into(),
            size_bytes: written.size_bytes,
            checksum: written.checksum,
            leads: self.leads,
            parent_artifact_ids: parents,
        })
    }
}

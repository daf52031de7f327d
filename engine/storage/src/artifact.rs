//! Writes artifacts: NDJSON with one lead per line, in an object that no other attempt overwrites.
//!
//! The content's hash is part of the key, and the object is made only if it is absent. So two attempts that differ write two
//! objects, two that agree write one, and a store without conditional writes can replace an object only by itself. The
//! completion names the object that counts.

use bytes::Bytes;
use luci_schema::{
    ArtifactId, RunId, TenantId,
    event::{Artifact, ObjectDigest},
    object_key::{ContentHash, ObjectKey, ObjectLocation, Word},
};
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Storage, StorageError, path};

/// Initial capacity of the buffer: growing from nothing would copy the object of a block a dozen times.
const INITIAL_CAPACITY: usize = 256 << 10;
const NDJSON: &str = "application/x-ndjson";

/// An artifact being written. It is held in memory until `finish`, since its key depends on its content; so are the leads of
/// a block, of which it holds one line each.
pub struct ArtifactWriter {
    storage: Storage,
    tenant: TenantId,
    run_id: RunId,
    artifact_type: Word,
    unix: u64,
    artifact_id: ArtifactId,
    buffer: Vec<u8>,
    leads: u64,
}

impl Storage {
    /// Opens the artifact `{tenant}/pipelines/{run}/artifacts/{type}_{unix}_{id}_{hash}.ndjson`; negative seconds count as 0.
    /// Fails only when `artifact_type` is not a valid `Word` of object keys.
    pub fn write_artifact(
        &self,
        tenant: TenantId,
        run_id: RunId,
        artifact_type: &str,
        unix: i64,
        artifact_id: ArtifactId,
    ) -> Result<ArtifactWriter, StorageError> {
        let (artifact_type, unix) = (artifact_type.parse()?, u64::try_from(unix).unwrap_or(0));
        let (storage, buffer) = (self.clone(), Vec::with_capacity(INITIAL_CAPACITY));
        Ok(ArtifactWriter { storage, tenant, run_id, artifact_type, unix, artifact_id, buffer, leads: 0 })
    }

    /// Makes an object whose key derives from its content.
    async fn put_content(&self, object_path: &str, bytes: Bytes, digest: &ObjectDigest) -> Result<(), StorageError> {
        self.check_folder()?;
        let at = path(object_path)?;
        let options = |mode| PutOptions { mode, attributes: self.attributes(NDJSON), ..Default::default() };
        let created =
            self.objects().put_opts(&at, PutPayload::from_bytes(bytes.clone()), options(PutMode::Create)).await;
        match created {
            Ok(_) => return Ok(()),
            // The same content, unless a power failure cut it: then it is written again.
            Err(object_store::Error::AlreadyExists { .. }) => match self.verify(object_path, digest).await {
                Err(StorageError::Integrity(fault)) => {
                    tracing::warn!(%fault, "object of an earlier attempt is damaged, written again");
                }
                verified => return verified,
            },
            // Not every S3 store has conditional writes.
            Err(error) => tracing::debug!(%error, "object not created, trying without a condition"),
        }
        self.objects().put_opts(&at, PutPayload::from_bytes(bytes), options(PutMode::Overwrite)).await?;
        Ok(())
    }
}

impl ArtifactWriter {
    /// Lines written so far.
    pub const fn leads(&self) -> u64 {
        self.leads
    }

    /// Adds one line. Serialised JSON contains no raw newline.
    pub fn line(&mut self, value: &impl Serialize) -> Result<(), StorageError> {
        let before = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, value) {
            self.buffer.truncate(before);
            return Err(error.into());
        }
        self.end_line();
        Ok(())
    }

    /// Adds a line that is serialised JSON already, without its newline.
    pub fn raw_line(&mut self, json: &[u8]) {
        self.buffer.extend_from_slice(json);
        self.end_line();
    }

    fn end_line(&mut self) {
        self.buffer.push(b'\n');
        self.leads += 1;
    }

    /// Makes the artifact visible.
    pub async fn finish(self, parents: Vec<ArtifactId>) -> Result<Artifact, StorageError> {
        let digest =
            ObjectDigest { size_bytes: self.buffer.len() as u64, checksum: hex::encode(Sha256::digest(&self.buffer)) };
        let (run_id, artifact_type, unix) = (self.run_id, self.artifact_type.clone(), self.unix);
        let content = Some(ContentHash::of(&digest.checksum)?);
        let artifact_id = self.artifact_id;
        let place = ObjectLocation::Artifact { run_id, artifact_type, unix, artifact_id, content };
        let object_path = ObjectKey::new(self.tenant, place).to_string();
        self.storage.put_content(&object_path, self.buffer.into(), &digest).await?;
        Ok(Artifact {
            artifact_id,
            artifact_type: self.artifact_type.to_string(),
            object_path,
            mime_type: NDJSON.into(),
            size_bytes: digest.size_bytes,
            checksum: digest.checksum,
            leads: self.leads,
            parent_artifact_ids: parents,
        })
    }
}

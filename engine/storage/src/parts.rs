//! Uploads in parts: the client puts each part to a key of its own, and completing the upload joins them.
//!
//! A part is its object: the key holds the number and the hash of the content, and the URL allows no other content. So what
//! has arrived is what is stored, whichever process asks, and a part that is sent again replaces itself.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use luci_schema::{
    ImportId, Micros, TenantId,
    event::ObjectDigest,
    object_key::{ContentHash, KeyError, ObjectKey},
};
use sha2::{Digest, Sha256};

use crate::{ObjectWriter, Storage, StorageError, UploadExpected, UploadRefused};

/// How an upload is cut: all parts have the same size, the last one what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlan {
    pub size_bytes: u64,
    pub part_bytes: u64,
}

impl PartPlan {
    /// S3's own parts are not smaller either.
    pub const MIN_PART: u64 = 5 << 20;
    pub const MAX_PART: u64 = 64 << 20;
    pub const DEFAULT_PART: u64 = 8 << 20;

    /// The number of parts; they are numbered from 1.
    pub fn count(self) -> u32 {
        u32::try_from(self.size_bytes.div_ceil(self.part_bytes.max(1))).unwrap_or(u32::MAX)
    }

    /// The size of a part in bytes; `None` when the upload has no part of this number.
    pub fn size_of(self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?).checked_mul(self.part_bytes)?;
        self.size_bytes.checked_sub(before).filter(|rest| *rest > 0).map(|rest| rest.min(self.part_bytes))
    }
}

/// A part as it was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedPart {
    pub number: u32,
    pub key: ObjectKey,
    pub digest: ObjectDigest,
}

impl StagedPart {
    /// # Errors
    /// When the checksum is not a SHA-256 in lower hex.
    pub fn new(tenant: TenantId, import: ImportId, number: u32, digest: ObjectDigest) -> Result<Self, KeyError> {
        let key = ObjectKey::staged_part(tenant, import, number, ContentHash::of(&digest.checksum)?);
        Ok(Self { number, key, digest })
    }
}

/// An upload in parts, with the parts that count: one a number at most, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartedUpload {
    pub tenant_id: TenantId,
    pub import_id: ImportId,
    pub plan: PartPlan,
    pub announced: Vec<StagedPart>,
}

/// A part that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedPart {
    pub number: u32,
    pub digest: ObjectDigest,
    /// By the store's clock.
    pub at: Micros,
}

impl PartedUpload {
    /// The numbers of the parts that have not arrived.
    pub fn missing(&self, arrived: &[ArrivedPart]) -> Vec<u32> {
        let numbers: HashSet<u32> = arrived.iter().map(|part| part.number).collect();
        (1..=self.plan.count()).filter(|number| !numbers.contains(number)).collect()
    }
}

impl Storage {
    /// The parts that have arrived, in order.
    pub async fn arrived_parts(&self, upload: &PartedUpload) -> Result<Vec<ArrivedPart>, StorageError> {
        self.check_folder()?;
        let listed = self.list(&ObjectKey::staged_parts_of(upload.tenant_id, upload.import_id));
        let found: HashMap<String, (u64, Micros)> =
            listed.map_ok(|object| (object.path, (object.size_bytes, object.modified))).try_collect().await?;
        let arrived = |part: &StagedPart| {
            let (size, at) = found.get(&part.key.to_string())?;
            // A store that does not compare checksums takes what a lost connection left.
            let whole = *size == part.digest.size_bytes;
            whole.then(|| ArrivedPart { number: part.number, digest: part.digest.clone(), at: *at })
        };
        Ok(upload.announced.iter().filter_map(arrived).collect())
    }

    /// Joins the parts to the object `key`, which is visible only when it is whole. Once `key` has an object, that one stays.
    /// One caller at a time.
    ///
    /// # Errors
    /// `PartsMissing`. Each part is compared with what was announced; one that differs is removed, so that it can be sent again.
    pub async fn join_parts(
        &self,
        upload: &PartedUpload,
        key: &ObjectKey,
        expected: &UploadExpected,
    ) -> Result<(), UploadRefused> {
        if self.head(&key.to_string()).await?.is_some() {
            return Ok(());
        }
        let numbers = upload.missing(&self.arrived_parts(upload).await?);
        if !numbers.is_empty() {
            return Err(UploadRefused::PartsMissing { numbers });
        }
        expected.compare(upload.announced.iter().map(|part| part.digest.size_bytes).sum(), None)?;
        let mut writer = self.writer(key, &expected.content_type);
        for part in &upload.announced {
            self.append_part(part, &mut writer).await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn append_part(&self, part: &StagedPart, writer: &mut ObjectWriter) -> Result<(), UploadRefused> {
        let path = part.key.to_string();
        let mut chunks = self.read_from(&path, 0);
        let (mut size_bytes, mut hash) = (0, Sha256::new());
        let missing = |error| match error {
            StorageError::NotFound(_) => UploadRefused::PartsMissing { numbers: vec![part.number] },
            error => UploadRefused::Store(error),
        };
        while let Some(chunk) = chunks.try_next().await.map_err(missing)? {
            size_bytes += chunk.len() as u64;
            hash.update(&chunk);
            writer.write(&chunk).await?;
        }
        if (ObjectDigest { size_bytes, checksum: hex::encode(hash.finalize()) }) == part.digest {
            return Ok(());
        }
        self.delete(&path).await?;
        Err(UploadRefused::PartDiffers { number: part.number })
    }

    /// Removes all parts of an upload, also those that never counted. None is no error.
    pub async fn remove_parts(&self, tenant: TenantId, import: ImportId) -> Result<(), StorageError> {
        let prefix = ObjectKey::staged_parts_of(tenant, import);
        let paths: Vec<String> = self.list(&prefix).map_ok(|object| object.path).try_collect().await?;
        for path in paths {
            self.delete(&path).await?;
        }
        if let Some(folder) = &self.state().folder {
            // Fails when there is none, or when a part arrives at this moment: the sweeper comes again.
            let _not_empty = tokio::fs::remove_dir(folder.join(prefix)).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::tests::{import_key, store};

    #[test]
    fn a_plan_cuts_a_file_into_equal_parts_and_a_rest() {
        for (size_bytes, part_bytes, sizes) in
            [(1, 5, vec![1]), (5, 5, vec![5]), (6, 5, vec![5, 1]), (15, 5, vec![5, 5, 5]), (14, 5, vec![5, 5, 4])]
        {
            let plan = PartPlan { size_bytes, part_bytes };
            assert_eq!(plan.count() as usize, sizes.len(), "{plan:?}");
            let found: Vec<u64> = (1..=plan.count()).filter_map(|number| plan.size_of(number)).collect();
            assert_eq!(found, sizes, "{plan:?}");
            assert_eq!((plan.size_of(0), plan.size_of(plan.count() + 1)), (None, None), "{plan:?}");
        }
    }

    fn upload_of(tenant_id: TenantId, texts: &[&str]) -> PartedUpload {
        let import_id = ImportId::generate();
        let part = |(n, text): (usize, &&str)| {
            let digest = ObjectDigest { size_bytes: text.len() as u64, checksum: hex::encode(Sha256::digest(text)) };
            StagedPart::new(tenant_id, import_id, n as u32 + 1, digest).unwrap()
        };
        let plan = PartPlan { size_bytes: texts.concat().len() as u64, part_bytes: texts[0].len() as u64 };
        PartedUpload { tenant_id, import_id, plan, announced: texts.iter().enumerate().map(part).collect() }
    }

    fn expected(text: &str) -> UploadExpected {
        UploadExpected {
            size_bytes: Some(text.len() as u64),
            max_bytes: 100,
            content_type: "text/csv".into(),
            checksum: Some(hex::encode(Sha256::digest(text))),
        }
    }

    #[tokio::test]
    async fn parts_are_joined_once_all_are_there_and_what_differs_is_sent_again() {
        let (_dir, storage) = store();
        let key = import_key();
        let upload = upload_of(key.tenant_id, &["a,b\n", "1,2\n", "3"]);
        let expected = expected("a,b\n1,2\n3");
        let put = async |n: usize, text: &'static str| {
            storage.put(&upload.announced[n].key, Bytes::from(text), "text/csv").await.unwrap();
        };
        let join = async || storage.join_parts(&upload, &key, &expected).await;
        let missing = async || upload.missing(&storage.arrived_parts(&upload).await.unwrap());
        assert_eq!(missing().await, [1, 2, 3]);
        put(2, "3").await;
        put(0, "a,b\n").await;
        assert_eq!(missing().await, [2]);
        assert!(matches!(join().await, Err(UploadRefused::PartsMissing { numbers }) if numbers == [2]));
        // A store that does not compare checksums took these.
        put(1, "1,\n").await;
        assert_eq!(missing().await, [2], "too short");
        put(1, "1,3\n").await;
        assert!(matches!(join().await, Err(UploadRefused::PartDiffers { number: 2 })));
        assert_eq!(missing().await, [2], "removed");
        assert_eq!(storage.head(&key.to_string()).await.unwrap(), None, "nothing is visible before it is whole");
        put(1, "1,2\n").await;
        join().await.unwrap();
        assert_eq!(storage.get(&key.to_string()).await.unwrap(), "a,b\n1,2\n3");
        for _ in 0..2 {
            storage.remove_parts(upload.tenant_id, upload.import_id).await.unwrap();
        }
        assert_eq!(missing().await, [1, 2, 3]);
        let folder = storage.state().folder.clone().unwrap();
        assert!(
            !folder.join(ObjectKey::staged_parts_of(upload.tenant_id, upload.import_id)).exists(),
            "no empty folder is left"
        );
        join().await.unwrap();
        storage.verify_upload(&key, &expected).await.unwrap();
    }
}

//! Verified reads: what was recorded of an object is compared with what is stored, before any of it is used.
//!
//! Small objects are read whole first. Of a large one every part is hashed once, and what is read later is compared with
//! these hashes part by part.

use std::{ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use luci_schema::{FoundObject, ObjectFault, event::ObjectDigest};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use crate::{Storage, StorageError, path, read::ByteStream};

/// Bytes per hash of a large object; a block reads some 50 KB of one.
const PART: usize = 64 << 10;

/// A large object that was verified as a whole: the hashes of its parts.
pub struct VerifiedObject {
    object_path: String,
    expected: ObjectDigest,
    parts: Vec<[u8; 32]>,
}

impl VerifiedObject {
    /// Where it is: not where it was recorded, if an erasure replaced it.
    pub fn object_path(&self) -> &str {
        &self.object_path
    }

    /// Size and SHA-256 of the whole.
    pub const fn digest(&self) -> &ObjectDigest {
        &self.expected
    }

    fn part(&self, n: usize) -> Range<u64> {
        let from = (n * PART) as u64;
        from..self.expected.size_bytes.min(from + PART as u64)
    }

    fn fault(&self, n: usize) -> StorageError {
        let Range { start: from_byte, end: to_byte } = self.part(n);
        integrity(&self.object_path, &self.expected, FoundObject::Part { from_byte, to_byte })
    }
}

fn integrity(object_path: &str, expected: &ObjectDigest, found: FoundObject) -> StorageError {
    let object_path = object_path.to_owned();
    StorageError::Integrity(Box::new(ObjectFault { object_path, expected: expected.clone(), found }))
}

impl Storage {
    /// A whole object that is what was recorded, or the version that replaced it; only for small ones.
    ///
    /// # Errors
    /// `Integrity` when it is missing or differs; `Expired`, `Erased` when it was removed.
    pub async fn get_verified(&self, object_path: &str, expected: &ObjectDigest) -> Result<Bytes, StorageError> {
        match self.get_recorded(object_path, expected).await {
            Err(error) => {
                let now = self.replacement(error, object_path).await?;
                self.get_recorded(&now.object_path, &now.digest).await
            }
            found => found,
        }
    }

    async fn get_recorded(&self, object_path: &str, expected: &ObjectDigest) -> Result<Bytes, StorageError> {
        let missing = |error: object_store::Error| self.missing(error.into(), object_path, expected);
        let found = self.objects().get(&path(object_path)?).await.map_err(missing)?;
        if found.meta.size != expected.size_bytes {
            return Err(integrity(object_path, expected, FoundObject::Size { size_bytes: found.meta.size }));
        }
        let bytes = found.bytes().await.map_err(missing)?;
        let checksum = hex::encode(Sha256::digest(&bytes));
        if checksum == expected.checksum && bytes.len() as u64 == expected.size_bytes {
            return Ok(bytes);
        }
        Err(integrity(object_path, expected, FoundObject::Content { size_bytes: bytes.len() as u64, checksum }))
    }

    /// The non-empty lines of an object that is what was recorded, as one error or all of them; only for small ones.
    pub fn verified_lines(&self, object_path: &str, expected: &ObjectDigest) -> ByteStream {
        let (storage, object_path, expected) = (self.clone(), object_path.to_owned(), expected.clone());
        stream::once(async move {
            let bytes = storage.get_verified(&object_path, &expected).await?;
            Ok::<_, StorageError>(stream::iter(lines(bytes).map(Ok)))
        })
        .try_flatten()
        .boxed()
    }

    /// Reads the object once, of any size, and compares.
    pub async fn verify(&self, object_path: &str, expected: &ObjectDigest) -> Result<(), StorageError> {
        self.verify_whole(object_path, expected).await.map(drop)
    }

    /// The same; what is read of it later is compared with what was read now. Of an object that an erasure replaced it is the
    /// version that replaced it.
    pub async fn verify_whole(
        &self,
        object_path: &str,
        expected: &ObjectDigest,
    ) -> Result<Arc<VerifiedObject>, StorageError> {
        match self.verify_recorded(object_path, expected).await {
            Err(error) => {
                let now = self.replacement(error, object_path).await?;
                self.verify_recorded(&now.object_path, &now.digest).await
            }
            verified => verified,
        }
    }

    async fn verify_recorded(
        &self,
        object_path: &str,
        expected: &ObjectDigest,
    ) -> Result<Arc<VerifiedObject>, StorageError> {
        self.size_as_recorded(object_path, expected).await?;
        let found = self.read_whole(object_path).await.map_err(|error| self.missing(error, object_path, expected))?;
        if found.digest() != expected {
            let ObjectDigest { size_bytes, checksum } = found.digest().clone();
            return Err(integrity(object_path, expected, FoundObject::Content { size_bytes, checksum }));
        }
        Ok(found)
    }

    /// Reads the object once: what was found counts as recorded.
    pub(crate) async fn read_whole(&self, object_path: &str) -> Result<Arc<VerifiedObject>, StorageError> {
        let mut chunks = regrouped(self.read_from(object_path, 0));
        let (mut whole, mut size_bytes, mut parts) = (Sha256::new(), 0, Vec::new());
        while let Some(part) = chunks.try_next().await? {
            size_bytes += part.len() as u64;
            whole.update(&part);
            parts.push(Sha256::digest(&part).into());
        }
        let expected = ObjectDigest { size_bytes, checksum: hex::encode(whole.finalize()) };
        Ok(Arc::new(VerifiedObject { object_path: object_path.to_owned(), expected, parts }))
    }

    /// The bytes from `offset`, each part compared before it is passed on; empty when `offset` is at or after the end.
    pub fn read_verified(&self, object: &Arc<VerifiedObject>, offset: u64) -> ByteStream {
        let first = usize::try_from(offset).unwrap_or(usize::MAX) / PART;
        if first >= object.parts.len() {
            return stream::empty().boxed();
        }
        let skip = usize::try_from(offset - object.part(first).start).unwrap_or(0);
        let chunks = regrouped(self.read_from(&object.object_path, object.part(first).start));
        let start = (self.clone(), Arc::clone(object), chunks, first, skip);
        stream::try_unfold(start, |(storage, object, mut chunks, n, skip)| async move {
            if n >= object.parts.len() {
                return Ok(None);
            }
            let part = chunks.try_next().await;
            let part = part.map_err(|error| storage.missing(error, &object.object_path, &object.expected))?;
            let mut part = part.ok_or_else(|| object.fault(n))?;
            let hash: [u8; 32] = Sha256::digest(&part).into();
            if hash != object.parts[n] {
                return Err(object.fault(n));
            }
            let rest = part.split_off(skip.min(part.len()));
            Ok(Some((rest, (storage, object, chunks, n + 1, 0))))
        })
        .boxed()
    }

    /// Compares the size alone, without reading the object.
    pub async fn verify_size(&self, object_path: &str, expected: &ObjectDigest) -> Result<(), StorageError> {
        match self.size_as_recorded(object_path, expected).await {
            Err(error) => {
                let now = self.replacement(error, object_path).await?;
                self.size_as_recorded(&now.object_path, &now.digest).await
            }
            compared => compared,
        }
    }

    async fn size_as_recorded(&self, object_path: &str, expected: &ObjectDigest) -> Result<(), StorageError> {
        match self.head(object_path).await? {
            Some(found) if found.size_bytes == expected.size_bytes => Ok(()),
            Some(found) => Err(integrity(object_path, expected, FoundObject::Size { size_bytes: found.size_bytes })),
            None => Err(self.missing(StorageError::NotFound(object_path.to_owned()), object_path, expected)),
        }
    }

    /// An object that is not there is a fault of the object, unless the whole store is gone.
    fn missing(&self, error: StorageError, object_path: &str, expected: &ObjectDigest) -> StorageError {
        match (error, self.check_folder()) {
            (StorageError::NotFound(_), Ok(())) => integrity(object_path, expected, FoundObject::Missing),
            (StorageError::NotFound(_), Err(gone)) => gone,
            (error, _) => error,
        }
    }
}

/// The same bytes in pieces of `PART`, the last one shorter. A piece is copied only when it spans two chunks.
fn regrouped(chunks: ByteStream) -> BoxStream<'static, Result<Bytes, StorageError>> {
    let start = (chunks, Bytes::new(), BytesMut::new());
    stream::try_unfold(start, |(mut chunks, mut chunk, mut carried)| async move {
        loop {
            let wanted = PART - carried.len();
            if chunk.len() >= wanted {
                let piece = chunk.split_to(wanted);
                if carried.is_empty() {
                    return Ok(Some((piece, (chunks, chunk, carried))));
                }
                carried.extend_from_slice(&piece);
                return Ok(Some((carried.split().freeze(), (chunks, chunk, carried))));
            }
            carried.extend_from_slice(&chunk);
            match chunks.try_next().await? {
                Some(next) => chunk = next,
                None if carried.is_empty() => return Ok(None),
                None => return Ok(Some((carried.split().freeze(), (chunks, Bytes::new(), carried)))),
            }
        }
    })
    .boxed()
}

/// The non-empty lines without their newlines; nothing is copied.
fn lines(mut rest: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', &rest).unwrap_or(rest.len());
            let line = rest.split_to(end);
            if !rest.is_empty() {
                rest = rest.split_off(1);
            }
            if !line.is_empty() {
                return Some(line);
            }
        }
    })
}

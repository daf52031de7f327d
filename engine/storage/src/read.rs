//! Reads objects: whole, from an offset, or NDJSON line by line, with a few MiB in memory.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use luci_schema::Micros;
use object_store::{Attribute, GetOptions, GetRange, ObjectStore, ObjectStoreExt, path::Path};
use sha2::{Digest, Sha256};

use crate::{ListedObject, Storage, StorageError, StoredObject, path};

/// Objects up to this size are read in one request.
const WHOLE_OBJECT: u64 = 8 << 20;
/// Length of the first range from an offset: a block needs some 50 KB. Each further range is twice as long, up to the
/// largest.
const FIRST_RANGE: u64 = 128 << 10;
const LARGEST_RANGE: u64 = 4 << 20;
const LONGEST_LINE: usize = 8 << 20;

pub type ByteStream = BoxStream<'static, Result<Bytes, StorageError>>;

impl Storage {
    /// The metadata of an object, or `None` when there is none.
    pub async fn head(&self, object_path: &str) -> Result<Option<StoredObject>, StorageError> {
        let options = GetOptions { head: true, ..Default::default() };
        match self.objects().get_opts(&path(object_path)?, options).await {
            Ok(found) => Ok(Some(StoredObject {
                size_bytes: found.meta.size,
                content_type: found.attributes.get(&Attribute::ContentType).map(|value| value.to_string()),
                entity_tag: found.meta.e_tag.map(|tag| tag.trim_matches('"').to_owned()),
                modified: Micros(found.meta.last_modified.timestamp_micros()),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The objects whose paths begin with `prefix`, which ends with a slash, in no order.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<ListedObject, StorageError>> {
        let objects = self.objects().list(Some(&Path::from(prefix.trim_end_matches('/'))));
        let listed = |found: object_store::ObjectMeta| ListedObject {
            path: found.location.to_string(),
            size_bytes: found.size,
            modified: Micros(found.last_modified.timestamp_micros()),
        };
        objects.map(move |found| Ok(listed(found?))).boxed()
    }

    /// A whole object; only for small ones.
    pub async fn get(&self, object_path: &str) -> Result<Bytes, StorageError> {
        Ok(self.objects().get(&path(object_path)?).await?.bytes().await?)
    }

    /// The bytes from `offset`; empty when it is at or after the end.
    pub fn read_from(&self, object_path: &str, offset: u64) -> ByteStream {
        let (storage, object_path) = (self.clone(), object_path.to_owned());
        stream::once(async move {
            if offset == 0 {
                storage.whole_or_ranges(object_path).await
            } else {
                storage.ranges(object_path, offset).await
            }
        })
        .try_flatten()
        .boxed()
    }

    /// The bytes of a range that lies within the object.
    pub fn read_range(&self, object_path: &str, range: Range<u64>) -> ByteStream {
        self.clone().ranges_of(object_path.to_owned(), range.start, range.end)
    }

    async fn whole_or_ranges(self, object_path: String) -> Result<ByteStream, StorageError> {
        let found = self.objects().get(&path(&object_path)?).await?;
        match found.meta.size {
            0 => Ok(stream::empty().boxed()),
            1..=WHOLE_OBJECT => {
                let bytes = found.bytes().await?;
                Ok(stream::once(async { Ok(bytes) }).boxed())
            }
            size => Ok(self.ranges_of(object_path, 0, size)),
        }
    }

    async fn ranges(self, object_path: String, offset: u64) -> Result<ByteStream, StorageError> {
        let found = self.head(&object_path).await?;
        let size = found.ok_or_else(|| StorageError::NotFound(object_path.clone()))?.size_bytes;
        Ok(self.ranges_of(object_path, offset, size))
    }

    fn ranges_of(self, object_path: String, offset: u64, size: u64) -> ByteStream {
        let start = (self, object_path, offset, FIRST_RANGE);
        stream::try_unfold(start, move |(storage, object_path, at, length)| async move {
            if at >= size {
                return Ok(None);
            }
            let end = size.min(at + length);
            let options = GetOptions { range: Some(GetRange::Bounded(at..end)), ..Default::default() };
            let bytes = storage.objects().get_opts(&path(&object_path)?, options).await?.bytes().await?;
            let next = (storage, object_path, at + bytes.len() as u64, LARGEST_RANGE.min(length * 2));
            // An object that shrank while it is read ends the stream; otherwise this would loop forever.
            Ok(if bytes.is_empty() { None } else { Some((bytes, next)) })
        })
        .boxed()
    }

    /// The non-empty lines of an NDJSON object without their newlines. A line is copied only when it spans two chunks.
    pub fn read_lines(&self, object_path: &str) -> ByteStream {
        let lines = Lines {
            object_path: object_path.to_owned(),
            chunks: self.read_from(object_path, 0),
            chunk: Bytes::new(),
            carried: BytesMut::new(),
            ended: false,
        };
        stream::try_unfold(lines, |mut lines| async move { Ok(lines.next().await?.map(|line| (line, lines))) }).boxed()
    }

    /// Reads an object once and returns its size in bytes and its SHA-256 in lower hex.
    pub async fn size_checksum(&self, object_path: &str) -> Result<(u64, String), StorageError> {
        let mut chunks = self.read_from(object_path, 0);
        let (mut size, mut hash) = (0, Sha256::new());
        while let Some(chunk) = chunks.try_next().await? {
            size += chunk.len() as u64;
            hash.update(&chunk);
        }
        Ok((size, hex::encode(hash.finalize())))
    }
}

struct Lines {
    object_path: String,
    chunks: ByteStream,
    chunk: Bytes,
    carried: BytesMut,
    ended: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.chunk) {
                let piece = self.chunk.split_to(end + 1);
                let line = self.join(piece.slice(..end));
                if !line.is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            let rest = std::mem::take(&mut self.chunk);
            if self.ended {
                let line = self.join(rest);
                return Ok(Some(line).filter(|line| !line.is_empty()));
            }
            self.carried.extend_from_slice(&rest);
            if self.carried.len() > LONGEST_LINE {
                return Err(StorageError::LineTooLong(self.object_path.clone()));
            }
            match self.chunks.try_next().await? {
                Some(chunk) => self.chunk = chunk,
                None => self.ended = true,
            }
        }
    }

    /// The line that ends with `piece`, with what previous chunks hold of it.
    fn join(&mut self, piece: Bytes) -> Bytes {
        if self.carried.is_empty() {
            return piece;
        }
        self.carried.extend_from_slice(&piece);
        self.carried.split().freeze()
    }
}

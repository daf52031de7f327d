//! Uploads in the local store: taken from their staging key once, and compared with what was announced.

use bytes::Bytes;
use futures::TryStreamExt;
use luci_schema::{ImportId, object_key::ObjectKey};
use sha2::{Digest, Sha256};

use super::tests::{import_key, store};
use crate::{UploadExpected, UploadRefused, same_media_type};

fn expected(text: &str) -> UploadExpected {
    UploadExpected {
        size_bytes: Some(text.len() as u64),
        max_bytes: 10,
        content_type: "text/csv".into(),
        checksum: Some(hex::encode(Sha256::digest(text)).to_uppercase()),
    }
}

#[tokio::test]
async fn an_upload_is_taken_once_and_what_was_taken_is_verified() {
    let (_dir, storage) = store();
    let (key, text) = (import_key(), "a,b\n1,2\n");
    let staging = ObjectKey::staging(key.tenant_id, ImportId::generate());
    let put = async |text: &'static str| storage.put(&staging, text.into(), "text/csv").await.unwrap();
    let take = async |expected: UploadExpected| storage.take_upload(&staging, &key, &expected).await;
    assert!(matches!(take(expected(text)).await, Err(UploadRefused::Missing)));
    put("a,b\n").await;
    assert!(matches!(take(expected(text)).await, Err(UploadRefused::Size { expected: 8, found: 4 })));
    assert_eq!(storage.head(&key.to_string()).await.unwrap(), None, "not copied");
    put(text).await;
    take(expected(text)).await.unwrap();
    put("a,b\n1,3\n").await;
    take(expected(text)).await.unwrap();
    storage.delete(&staging.to_string()).await.unwrap();
    take(expected(text)).await.unwrap();
    let file = storage.verify_upload(&key, &expected(text)).await.unwrap();
    assert_eq!(file.digest().checksum, hex::encode(Sha256::digest(text)));
    let read: Vec<Bytes> = storage.read_verified(&file, 0).try_collect().await.unwrap();
    assert_eq!(read.concat(), text.as_bytes());
}

#[tokio::test]
async fn an_upload_that_differs_is_refused() {
    let (_dir, storage) = store();
    let (key, text) = (import_key(), "a,b\n1,2\n");
    let verify = async |expected: UploadExpected| storage.verify_upload(&key, &expected).await.err();
    assert!(matches!(verify(expected(text)).await, Some(UploadRefused::Missing)));
    storage.put(&key, text.into(), "text/csv").await.unwrap();
    assert!(verify(expected(text)).await.is_none());
    assert!(matches!(verify(expected("a,b\n1,3\n")).await, Some(UploadRefused::Checksum { .. })));
    assert!(matches!(verify(expected("a,b\n")).await, Some(UploadRefused::Size { expected: 4, found: 8 })));
    let small = UploadExpected { max_bytes: 7, ..expected(text) };
    assert!(matches!(verify(small).await, Some(UploadRefused::TooLarge { found: 8, max: 7 })));
}

#[test]
fn content_types_are_compared_by_media_type() {
    for same in ["text/csv", "TEXT/CSV", "text/csv; charset=utf-8", " Text/csv ;header=present"] {
        assert!(same_media_type(same, "text/csv"), "{same}");
    }
    for other in ["text/html", "text/csvx", "", "csv"] {
        assert!(!same_media_type(other, "text/csv"), "{other}");
    }
}

//! The store on S3, with a real server: whole objects, parts, presigned addresses, as on a local folder.
//!
//! Needs the program `luci-s3-server`, so it is left out of a plain `cargo test`; `make test` builds it.

mod clients;
mod equal_answers;
mod retention;
mod uploads;

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use luci_schema::{
    ArtifactId, ImportId, Micros, RunId, TenantId,
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::{BlobRefused, Storage, UploadExpected, UploadRefused};
use sha2::{Digest, Sha256};

use crate::support::{Bucket, eventually};

fn import_key() -> ObjectKey {
    let day = Day::of(Micros::now());
    let place = ObjectLocation::Import { day, import_id: ImportId::generate(), file: FileName::sanitise("Leads.csv") };
    ObjectKey::new(TenantId::generate(), place)
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn an_artifact_reads_back_from_s3_and_no_attempt_overwrites_another() {
    let bucket = Bucket::new().await;
    let (tenant, run, id) = (TenantId::generate(), RunId::generate(), ArtifactId::generate());
    let mut paths = Vec::new();
    for round in [0, 1, 1] {
        let mut writer = bucket.storage.write_artifact(tenant, run, "scored", 1_795_370_400, id).expect("a name");
        for row in 0..500 {
            writer.line(&serde_json::json!({ "row": row, "round": round })).expect("written");
        }
        let artifact = writer.finish(Vec::new()).await.expect("finished");
        bucket.storage.verify(&artifact.object_path, &artifact.digest()).await.expect("as recorded");
        paths.push(artifact.object_path);
    }
    assert_eq!(paths[1], paths[2], "the same content is the same object");
    for (round, path) in paths[..2].iter().enumerate() {
        let lines: Vec<Bytes> = bucket.storage.read_lines(path).try_collect().await.expect("read");
        let last = format!("{{\"round\":{round},\"row\":499}}");
        assert_eq!((lines.len(), &lines[499][..]), (500, last.as_bytes()));
    }
    let path = paths.remove(0);
    bucket.storage.delete(&path).await.expect("deleted");
    bucket.storage.delete(&path).await.expect("gone already");
    assert_eq!(bucket.storage.head(&path).await.expect("answered"), None);
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn a_large_object_goes_to_s3_in_parts_and_is_read_from_any_offset() {
    let bucket = Bucket::new().await;
    let key = import_key();
    let whole: Vec<u8> = (0..19_u32 << 20).map(|n| (n % 251) as u8).collect();
    let mut writer = bucket.storage.writer(&key, "text/csv");
    for piece in whole.chunks(3_000_000) {
        writer.write(piece).await.expect("written");
    }
    assert_eq!(bucket.storage.head(&key.to_string()).await.expect("answered"), None, "visible before its end");
    let written = writer.finish().await.expect("finished");
    assert_eq!(written.checksum, hex::encode(Sha256::digest(&whole)));
    for offset in [0, 5_000_001, whole.len() - 1, whole.len(), whole.len() + 1] {
        let read = bucket.storage.read_from(&key.to_string(), offset as u64);
        let read: Vec<Bytes> = read.try_collect().await.expect("read");
        assert!(read.concat() == whole.get(offset..).unwrap_or_default(), "from {offset}");
    }
}

/// Files that the server keeps for uploads under way.
fn parts(bucket: &Bucket) -> usize {
    let entries = std::fs::read_dir(&bucket.folder).expect("the store's folder");
    entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().contains(".upload"))).count()
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn an_abandoned_upload_leaves_no_object() {
    let bucket = Bucket::new().await;
    let key = import_key();
    let mut writer = bucket.storage.writer(&key, "text/csv");
    writer.write(&vec![1; 17 << 20]).await.expect("written");
    assert!(parts(&bucket) >= 2, "sent as it was written");
    drop(writer);
    // The abort is sent in the background; a bucket would keep and bill parts that nobody ended.
    eventually("the parts are deleted", async || parts(&bucket) == 0).await;
    assert_eq!(bucket.storage.head(&key.to_string()).await.expect("answered"), None);
}

async fn put(url: &str, content_type: &str, body: &'static str) -> u16 {
    let request = reqwest::Client::new().put(url).header("content-type", content_type).body(body);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn presigned_addresses_hold_to_key_type_and_time() {
    let bucket = Bucket::new().await;
    let (key, other) = (import_key(), import_key());
    let valid = Storage::UPLOAD_VALID;
    let upload = bucket.storage.upload_url(&key, "text/csv", 100, valid).await.expect("signed");
    assert_eq!(put(&upload.url, "text/html", "a,b\n").await, 403, "another type");
    let elsewhere = upload.url.replace(&key.to_string(), &other.to_string());
    assert_eq!(put(&elsewhere, "text/csv", "a,b\n").await, 403, "another key");
    assert_eq!(put(&upload.url, "text/csv", "a,b\n1,2\n").await, 200);

    let eight_days = Duration::from_secs(8 * 24 * 3600);
    let download = bucket.storage.download_url(&key.to_string(), "My leads.csv", eight_days).await.expect("signed");
    let answer = reqwest::get(&download.url).await.expect("an answer");
    assert_eq!(answer.status(), 200, "clamped to the longest that S3 takes");
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"My_leads.csv\"");
    assert_eq!(answer.text().await.expect("a body"), "a,b\n1,2\n");
    assert_eq!(bucket.storage.blob_access("GET", &key.to_string(), ""), Err(BlobRefused::NotLocal));

    let short = bucket.storage.download_url(&key.to_string(), "x", Duration::ZERO).await.expect("signed");
    eventually("the address expires", async || reqwest::get(&short.url).await.expect("an answer").status() == 403)
        .await;
}

fn expected(text: &str, content_type: &str) -> UploadExpected {
    UploadExpected {
        size_bytes: Some(text.len() as u64),
        max_bytes: 100,
        content_type: content_type.into(),
        checksum: Some(hex::encode(Sha256::digest(text))),
    }
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn a_url_that_is_used_again_does_not_change_what_was_verified() {
    let bucket = Bucket::new().await;
    let storage = &bucket.storage;
    let key = import_key();
    let staging = ObjectKey::staging(key.tenant_id, ImportId::generate());
    let (first, other) = ("a,b\n1,2\n", "a,b\n1,3\n");
    let expected = expected(first, "text/csv");
    let upload = storage.upload_url(&staging, "text/csv", 100, Storage::UPLOAD_VALID).await.expect("signed");
    assert!(matches!(storage.take_upload(&staging, &key, &expected).await, Err(UploadRefused::Missing)));
    assert_eq!(put(&upload.url, "text/csv", first).await, 200);
    storage.take_upload(&staging, &key, &expected).await.expect("taken");
    let file = storage.verify_upload(&key, &expected).await.expect("verified");
    assert_eq!(put(&upload.url, "text/csv", other).await, 200, "the bucket knows nothing of it");
    assert_eq!(storage.get_verified(&key.to_string(), file.digest()).await.expect("as verified"), first);
    storage.take_upload(&staging, &key, &expected).await.expect("nothing to do");
    let again = storage.verify_upload(&key, &expected).await.expect("verified");
    assert_eq!(again.digest(), file.digest());
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn an_upload_to_s3_is_compared_with_what_was_announced() {
    let bucket = Bucket::new().await;
    let storage = &bucket.storage;
    let text = "a,b\n1,2\n";
    let verify = async |content_type: &str, put_as: &str, text: &str| {
        let key = import_key();
        let staging = ObjectKey::staging(key.tenant_id, ImportId::generate());
        storage.put(&staging, "a,b\n1,2\n".into(), put_as).await.expect("put");
        storage.take_upload(&staging, &key, &expected(text, content_type)).await?;
        storage.verify_upload(&key, &expected(text, content_type)).await.map(|file| file.digest().size_bytes)
    };
    for (announced, put_as) in [("text/csv", "TEXT/CSV"), ("text/csv; charset=utf-8", "text/csv")] {
        assert_eq!(verify(announced, put_as, text).await.expect("the same media type"), 8);
    }
    assert!(matches!(verify("text/csv", "text/html", text).await, Err(UploadRefused::ContentType { .. })));
    assert!(matches!(verify("text/csv", "text/csv", "a").await, Err(UploadRefused::Size { expected: 1, found: 8 })));
    assert!(matches!(verify("text/csv", "text/csv", "a,b\n1,3\n").await, Err(UploadRefused::Checksum { .. })));
}

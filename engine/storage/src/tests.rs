//! The local store: round trips, presigned URLs and uploads.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use luci_schema::{
    ArtifactId, FoundObject, ImportId, Micros, RunId, TenantId,
    event::ObjectDigest,
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use sha2::{Digest, Sha256};

use super::*;

pub fn store() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let key = SecretString::from("a signing key");
    let storage = Storage::local(dir.path().join("objects"), key, "http://127.0.0.1:8080".into()).unwrap();
    (dir, storage)
}

pub fn import_key() -> ObjectKey {
    let place = ObjectLocation::Import {
        day: Day::of(Micros::now()),
        import_id: ImportId::generate(),
        file: FileName::sanitise("Leads.csv"),
    };
    ObjectKey::new(TenantId::generate(), place)
}

fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test]
async fn an_artifact_reads_back_line_by_line_with_its_checksum() {
    let (_dir, storage) = store();
    let (tenant, run, id, parent) =
        (TenantId::generate(), RunId::generate(), ArtifactId::generate(), ArtifactId::generate());
    let mut writer = storage.write_artifact(tenant, run, "skip-traced", 1_795_370_400, id).unwrap();
    for n in 0..1000 {
        writer.line(&serde_json::json!({ "row": n, "note": "line\nbreak" })).unwrap();
    }
    let artifact = writer.finish(vec![parent]).await.unwrap();
    let hash = &artifact.checksum[..32];
    assert_eq!(
        artifact.object_path,
        format!("{tenant}/pipelines/{run}/artifacts/skip-traced_1795370400_{id}_{hash}.ndjson")
    );
    assert_eq!((artifact.leads, artifact.parent_artifact_ids), (1000, vec![parent]));
    let whole = storage.get(&artifact.object_path).await.unwrap();
    assert_eq!(artifact.size_bytes, whole.len() as u64);
    assert_eq!(artifact.checksum, hex::encode(Sha256::digest(&whole)));
    let read = storage.size_checksum(&artifact.object_path).await.unwrap();
    assert_eq!(read, (artifact.size_bytes, artifact.checksum));
    let lines: Vec<Bytes> = storage.read_lines(&artifact.object_path).try_collect().await.unwrap();
    assert_eq!(lines.len(), 1000);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&lines[999]).unwrap()["row"], 999);
}

async fn artifact(storage: &Storage, ids: (TenantId, RunId, ArtifactId), text: &str) -> luci_schema::event::Artifact {
    let (tenant, run, id) = ids;
    let mut writer = storage.write_artifact(tenant, run, "parsed", 1, id).unwrap();
    writer.line(&text).unwrap();
    writer.finish(Vec::new()).await.unwrap()
}

#[tokio::test]
async fn attempts_of_one_block_do_not_overwrite_each_other() {
    let (dir, storage) = store();
    let ids = (TenantId::generate(), RunId::generate(), ArtifactId::generate());
    let (first, second) = (artifact(&storage, ids, "first").await, artifact(&storage, ids, "second").await);
    assert_eq!(storage.get(&first.object_path).await.unwrap(), "\"first\"\n");
    assert_eq!(storage.get(&second.object_path).await.unwrap(), "\"second\"\n");
    assert_eq!(artifact(&storage, ids, "first").await, first, "the same content is the same object");
    assert_eq!(files(dir.path()).len(), 2);
    // A power failure cut the object of an attempt that never completed; the next attempt writes it again.
    std::fs::write(dir.path().join("objects").join(&first.object_path), "").unwrap();
    artifact(&storage, ids, "first").await;
    storage.verify(&first.object_path, &first.digest()).await.unwrap();
}

#[tokio::test]
async fn a_dropped_writer_leaves_no_file() {
    let (dir, storage) = store();
    let key = import_key();
    let mut writer = storage.writer(&key, "text/csv");
    writer.write(&vec![b'x'; 20 << 20]).await.unwrap();
    assert_eq!(storage.head(&key.to_string()).await.unwrap(), None);
    drop(writer);
    for _ in 0..100 {
        if files(dir.path()).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("left behind: {:?}", files(dir.path()));
}

#[tokio::test]
async fn a_large_object_is_written_in_parts_and_read_from_any_offset() {
    let (_dir, storage) = store();
    let key = import_key();
    let whole: Vec<u8> = (0..21_u32 << 20).map(|n| if n % 97 == 0 { b'\n' } else { (n % 251) as u8 }).collect();
    let mut writer = storage.writer(&key, "text/csv");
    for piece in whole.chunks(1_234_567) {
        writer.write(piece).await.unwrap();
    }
    let written = writer.finish().await.unwrap();
    assert_eq!(written.checksum, hex::encode(Sha256::digest(&whole)));
    let path = key.to_string();
    for offset in [0, 1, 128 << 10, 10_000_000, whole.len() - 1, whole.len(), whole.len() + 5] {
        let read: Vec<Bytes> = storage.read_from(&path, offset as u64).try_collect().await.unwrap();
        assert!(read.iter().all(|chunk| chunk.len() <= 4 << 20));
        assert_eq!(read.concat(), whole.get(offset..).unwrap_or_default(), "from {offset}");
    }
    let lines: Vec<Bytes> = storage.read_lines(&path).try_collect().await.unwrap();
    let expected: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert!(lines.iter().map(|line| &line[..]).eq(expected));
}

#[tokio::test]
async fn missing_objects_are_not_found_and_empty_ones_are_empty() {
    let (_dir, storage) = store();
    let key = import_key();
    let path = key.to_string();
    assert!(matches!(storage.get(&path).await, Err(StorageError::NotFound(_))));
    assert!(matches!(storage.read_from(&path, 0).next().await, Some(Err(StorageError::NotFound(_)))));
    assert!(matches!(storage.read_from(&path, 7).next().await, Some(Err(StorageError::NotFound(_)))));
    storage.delete(&path).await.unwrap();
    storage.put(&key, Bytes::new(), "text/csv").await.unwrap();
    assert_eq!(storage.head(&path).await.unwrap().unwrap().size_bytes, 0);
    assert!(storage.read_from(&path, 0).next().await.is_none());
    assert!(storage.read_lines(&path).next().await.is_none());
    for wrong in ["", "/etc/passwd", "a/../../b", "a//b"] {
        assert!(matches!(storage.get(wrong).await, Err(StorageError::Path(_))), "{wrong}");
    }
}

/// Path and query of a signed URL below `/api/blobs/`.
fn parts(url: &str) -> (String, String) {
    let url = url::Url::parse(url).unwrap();
    (url.path().strip_prefix("/api/blobs/").unwrap().to_owned(), url.query().unwrap().to_owned())
}

#[tokio::test]
async fn a_signed_url_allows_its_request_until_it_expires() {
    let (_dir, storage) = store();
    let key = import_key();
    let upload = storage.upload_url(&key, "text/csv; charset=utf-8", 100, Storage::UPLOAD_VALID).await.unwrap();
    let (path, query) = parts(&upload.url);
    assert_eq!(path, key.to_string());
    assert_eq!(
        storage.blob_access("PUT", &path, &query),
        Ok(BlobAccess::Upload {
            key: key.clone(),
            content_type: "text/csv; charset=utf-8".into(),
            max_bytes: 100,
            checksum: None
        })
    );
    assert_eq!(storage.blob_access("GET", &path, &query), Err(BlobRefused::Signature));
    assert_eq!(
        storage.blob_access_at("PUT", &path, &query, upload.expires_at.plus_millis(1)),
        Err(BlobRefused::Expired)
    );

    let forever = Duration::from_secs(30 * 24 * 3600);
    let download = storage.download_url(&path, "Näme\"; x=\r\n.csv", forever).await.unwrap();
    assert!(download.expires_at <= Micros::now().plus_millis(7 * 24 * 3_600_000), "clamped to seven days");
    let (_, query) = parts(&download.url);
    let disposition = "attachment; filename=\"N_me___x___.csv\"".to_owned();
    assert_eq!(
        storage.blob_access("GET", &path, &query),
        Ok(BlobAccess::Download { object_path: path.clone(), disposition })
    );
    assert_eq!(storage.blob_access("PUT", &path, &query), Err(BlobRefused::Signature));
}

#[tokio::test]
async fn every_change_of_a_signed_url_is_refused() {
    let (_dir, storage) = store();
    let (key, other) = (import_key(), import_key());
    let signed = storage.upload_url(&key, "text/csv", 100, Storage::UPLOAD_VALID).await.unwrap();
    let (path, query) = parts(&signed.url);
    let exp = signed.expires_at.seconds();
    for (path, query) in [
        (other.to_string(), query.clone()),
        (path.clone(), query.replace(&format!("exp={exp}"), &format!("exp={}", exp + 1))),
        (path.clone(), query.replace("max=100", "max=1000")),
        (path.clone(), query.replace("text%2Fcsv", "text%2Fhtml")),
        (path.clone(), query.replace("sig=", "sig=00")),
        (path.clone(), format!("{}&sig=", query.split("&sig=").next().unwrap())),
        (path.clone(), format!("{query}&max=1000")),
        (path.clone(), format!("{query}&other=1")),
        (path.clone(), String::new()),
    ] {
        assert_eq!(storage.blob_access("PUT", &path, &query), Err(BlobRefused::Signature), "{path}?{query}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other_key = Storage::local(elsewhere.path().into(), "another key".into(), "http://127.0.0.1:1".into()).unwrap();
    assert_eq!(other_key.blob_access("PUT", &path, &query), Err(BlobRefused::Signature));
}

#[tokio::test]
async fn the_url_of_a_part_is_bound_to_its_content() {
    let (_dir, storage) = store();
    let (tenant, import) = (TenantId::generate(), ImportId::generate());
    let (checksum, other) = ("a1".repeat(32), "b2".repeat(32));
    let digest = ObjectDigest { size_bytes: 7, checksum: checksum.clone() };
    let part = StagedPart::new(tenant, import, 2, digest).unwrap();
    let signed = storage.part_url(&part, "text/csv", Storage::UPLOAD_VALID).await.unwrap();
    let sent = checksum_header(&checksum).unwrap();
    assert_eq!(signed.headers[1], ("x-amz-checksum-sha256".to_owned(), sent));
    let (path, query) = parts(&signed.url);
    let access = BlobAccess::Upload {
        key: part.key.clone(),
        content_type: "text/csv".into(),
        max_bytes: 7,
        checksum: Some(checksum.clone()),
    };
    assert_eq!(storage.blob_access("PUT", &path, &query), Ok(access));
    for (path, query) in [
        (path.clone(), query.replace(&checksum, &other)),
        (path.clone(), query.replace(&format!("&sha256={checksum}"), "")),
        (path.replace("/2_", "/3_"), query.clone()),
    ] {
        assert_eq!(storage.blob_access("PUT", &path, &query), Err(BlobRefused::Signature), "{path}?{query}");
    }
}

#[tokio::test]
async fn what_differs_from_the_record_is_not_read() {
    let (dir, storage) = store();
    let key = import_key();
    let (path, whole) = (key.to_string(), (0..200_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let digest = ObjectDigest { size_bytes: whole.len() as u64, checksum: hex::encode(Sha256::digest(&whole)) };
    storage.put(&key, whole.clone().into(), "text/csv").await.unwrap();
    assert_eq!(storage.get_verified(&path, &digest).await.unwrap(), whole);
    let verified = storage.verify_whole(&path, &digest).await.unwrap();
    for offset in [0, 1, 65_535, 65_536, 131_072, 199_999, 200_000, 900_000] {
        let read: Vec<Bytes> = storage.read_verified(&verified, offset as u64).try_collect().await.unwrap();
        assert_eq!(read.concat(), whole.get(offset..).unwrap_or_default(), "from {offset}");
    }
    let fault = |error| match error {
        StorageError::Integrity(fault) => fault.found,
        other => panic!("{other}"),
    };
    let file = dir.path().join("objects").join(&path);
    let mut changed = whole.clone();
    changed[70_000] ^= 1;
    std::fs::write(&file, &changed).unwrap();
    let found = fault(storage.get_verified(&path, &digest).await.unwrap_err());
    assert!(matches!(found, FoundObject::Content { size_bytes: 200_000, .. }), "{found:?}");
    // The first part is as it was; the second is not passed on.
    let mut read = storage.read_verified(&verified, 10);
    assert_eq!(read.next().await.unwrap().unwrap(), whole[10..65_536]);
    let part = FoundObject::Part { from_byte: 65_536, to_byte: 131_072 };
    assert_eq!(fault(read.next().await.unwrap().unwrap_err()), part);
    std::fs::write(&file, &whole[..100_000]).unwrap();
    assert_eq!(fault(storage.verify(&path, &digest).await.unwrap_err()), FoundObject::Size { size_bytes: 100_000 });
    let read = storage.read_verified(&verified, 65_536).try_collect::<Vec<_>>().await;
    assert_eq!(fault(read.unwrap_err()), part, "cut since it was verified");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(fault(storage.get_verified(&path, &digest).await.unwrap_err()), FoundObject::Missing);
}

#[tokio::test]
async fn a_store_that_vanished_is_named_and_not_made_again() {
    let (dir, storage) = store();
    let (folder, moved) = (dir.path().join("objects"), dir.path().join("moved"));
    storage.mark("one").await.unwrap();
    storage.mark("two").await.unwrap();
    assert_eq!(storage.store_id().await.unwrap().as_deref(), Some("one"), "the first marker stays");
    storage.require_id("one");
    let health = async || storage.health(Duration::ZERO).await;
    assert_eq!(health().await, Ok(()));
    std::fs::rename(&folder, &moved).unwrap();
    assert_eq!(health().await, Err(StoreFault::Missing));
    let refused = storage.put(&import_key(), Bytes::from_static(b"x"), "text/csv").await.unwrap_err();
    assert!(matches!(refused, StorageError::Unusable(StoreFault::Missing)) && refused.is_unavailable());
    let digest = ObjectDigest { size_bytes: 1, checksum: String::new() };
    let read = storage.get_verified(&import_key().to_string(), &digest).await.unwrap_err();
    assert!(matches!(read, StorageError::Unusable(StoreFault::Missing)), "no object is to blame: {read}");
    assert!(!folder.exists());
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(health().await, Err(StoreFault::Missing), "empty");
    std::fs::write(folder.join("luci-store.json"), r#"{"storeId":"another"}"#).unwrap();
    assert_eq!(health().await, Err(StoreFault::Foreign));
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&moved, &folder).unwrap();
    assert_eq!(health().await, Ok(()));
}

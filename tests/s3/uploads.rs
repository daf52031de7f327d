//! Uploads in parts through the gateway, with the parts in a bucket.

use std::time::Duration;

use luci::process::ProcessRole;
use luci_schema::{ImportId, TenantId, event::ObjectDigest};
use luci_storage::StagedPart;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    gateway::upload_parts::{announce, continued_and_joined, csv, only_the_announced_content_counts, put},
    support::{Bucket, System, SystemOptions, eventually, system_with},
};

/// A gateway on a bucket.
async fn system(bucket: &Bucket) -> System {
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay];
    system_with(SystemOptions { roles, storage: Some(bucket.storage.clone()), ..SystemOptions::default() }).await
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn a_file_in_parts_is_joined_in_a_bucket() {
    let bucket = Bucket::new().await;
    continued_and_joined(&system(&bucket).await).await;
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn a_bucket_takes_only_the_announced_content_of_a_part() {
    let bucket = Bucket::new().await;
    only_the_announced_content_counts(&system(&bucket).await).await;
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn a_part_that_a_bucket_takes_after_the_end_changes_nothing() {
    let bucket = Bucket::new().await;
    let system = system(&bucket).await;
    let upload = announce(&system.api, csv()).await;
    let first = upload.put(1).await;
    upload.put(2).await;
    upload.put(3).await;
    let (status, import) = upload.complete().await;
    assert_eq!(status, 200, "{import}");
    assert_eq!(put(&first, upload.part(1).to_vec()).await.0, 200, "the bucket knows nothing of it");
    assert_eq!(upload.complete().await, (200, import.clone()));
    let (status, verified) = system.api.get(&format!("/api/imports/{}?verify", upload.id)).await;
    assert_eq!((status.as_u16(), &verified["checksum"]), (200, &import["checksum"]));
    // The sweeper removes it when the upload's time is over.
    let pool = system.database.pool().await;
    sqlx::query("update imports set created_at = now() - interval '8 days'").execute(&pool).await.expect("aged");
    let mut c = pool.acquire().await.expect("a connection");
    assert_eq!(luci_leads::store::old_uploads::remove(&mut c, &system.storage).await.expect("swept"), 1);
    assert_eq!(upload.staged(&system).await, 0);
    assert_eq!(system.api.get(&format!("/api/imports/{}?verify", upload.id)).await.0, 200, "the import stays");
}

#[tokio::test]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn the_url_of_a_part_expires() {
    let bucket = Bucket::new().await;
    let text = "a,b\n1,2\n";
    let digest = ObjectDigest { size_bytes: text.len() as u64, checksum: hex::encode(Sha256::digest(text)) };
    let part = StagedPart::new(TenantId::generate(), ImportId::generate(), 1, digest).expect("a part");
    let signed = bucket.storage.part_url(&part, "text/csv", Duration::ZERO).await.expect("signed");
    let headers: serde_json::Map<_, _> = signed.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let signed = json!({"url": signed.url, "headers": headers});
    eventually("the url expires", async || put(&signed, text.into()).await.0 == 403).await;
}

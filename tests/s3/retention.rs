//! Retention with a bucket: as with the local store.

use crate::{erasure::retention::old_objects_go, gateway::fixture::whole_on, support::Bucket};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs luci-s3-server; make test runs it"]
async fn what_is_old_goes_from_a_bucket_unless_a_run_may_read_it() {
    let bucket = Bucket::new().await;
    let (system, _sandbox) = whole_on(Some(bucket.storage.clone())).await;
    old_objects_go(&system, &bucket.settings()).await;
}

//! The scrub reads every recorded object again and again, and counts those that are not what was recorded.

use std::time::Duration;

use luci_runs::stored_objects::{self, StoredObjectsOptions};
use luci_schema::log::Log;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::fixture::quick;
use crate::{
    gateway::fixture::{send_csv, still},
    support::{System, eventually},
};

fn value(metrics: &PrometheusHandle, name: &str) -> u64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

async fn object_of(system: &System, import: &Value) -> std::path::PathBuf {
    let path: String = sqlx::query_scalar("select object_path from imports where id = $1")
        .bind(import["importId"].as_str())
        .fetch_one(&system.database.pool().await)
        .await
        .expect("an import");
    system.objects.join(path)
}

#[tokio::test]
async fn an_object_that_changes_after_it_was_scrubbed_is_found_by_the_next_scrub() {
    // Counts of this thread alone.
    let recorder = PrometheusBuilder::new().build_recorder();
    let (metrics, _guard) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let system = still().await;
    let (_, import) = send_csv(&system.api, "Company,Cell\nAcme,(917) 555-0101\n".to_owned()).await;
    let log: Log = system.running.log.clone();
    let stop = CancellationToken::new();
    let options = StoredObjectsOptions {
        lease: quick("scrub").lease,
        scrub_every: Duration::from_millis(50),
        ..StoredObjectsOptions::owned_by("scrub")
    };
    let scrub = tokio::spawn(stored_objects::run(options, log, system.storage.clone(), stop.clone()));
    eventually("it is scrubbed twice", async || value(&metrics, "luci_scrub_objects_total") >= 2).await;
    assert_eq!(value(&metrics, "luci_scrub_faults_total"), 0);
    let object = object_of(&system, &import).await;
    let text = std::fs::read_to_string(&object).expect("the file").replace("0101", "0102");
    std::fs::write(&object, text).expect("changed");
    eventually("the change is found", async || value(&metrics, "luci_scrub_faults_total") > 0).await;
    stop.cancel();
    scrub.await.expect("no panic");
}

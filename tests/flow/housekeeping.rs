//! The clock's cleanup of old rows, its errors, and the sweep of objects that no event names.

use std::time::Duration;

use luci_runs::{
    clock::{self, Cleanup, ClockOptions, RunStarts},
    issue::Issuer,
    stored_objects::{self, StoredObjectsOptions},
};
use luci_schema::{
    Actor, ArtifactId, BlockEvent, BlockId, CommandId, CorrelationId, Event, RunEvent, RunId, Stage, TenantId, Version,
    event::{BlockCancelled, BlockStarted, RunDeleted, RunTotals, TenantUpdated},
    log::{Append, Log, LogError, NewReceipt, follower_position},
    object_key::{ContentHash, ObjectKey, ObjectLocation, Word},
};
use luci_storage::Storage;
use tokio_util::sync::CancellationToken;

use super::{
    fixture::{self, append, chatter, log, quick},
    process::{Caller, Process, Role},
};
use crate::support::{self, eventually};

#[tokio::test]
async fn receipts_are_kept_for_thirty_days() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let tenant = TenantId::generate();
    let command = |key: &str| CommandId::derive(&["test", key]);
    for (version, key) in [(0, "aged"), (1, "young")] {
        let event = luci_schema::ConfigEvent::TenantUpdated(TenantUpdated { active_runs: 4 }).into();
        let append = Append {
            tenant,
            stream: tenant.into(),
            expected: Version(version),
            events: vec![event],
            actor: Actor::System,
            command: command(key),
            correlation: CorrelationId::generate(),
            causation: None,
            receipt: Some(NewReceipt { body_digest: [0; 32], outcome: serde_json::json!({}) }),
        };
        caller.log.append(append).await.expect("appended");
    }
    let pool = database.pool().await;
    for (key, days) in [("aged", 31.0), ("young", 29.0)] {
        sqlx::query(
            "update log.receipts set recorded_at = now() - make_interval(secs => $2 * 86400) where command_id = $1",
        )
        .bind(command(key).to_string())
        .bind(days)
        .execute(&pool)
        .await
        .expect("aged");
    }
    let clock = Process::start("clock", &database, &nats, &[Role::Clock]);
    let left = async || -> Vec<String> {
        sqlx::query_scalar("select command_id from log.receipts").fetch_all(&pool).await.expect("receipts")
    };
    eventually("the aged receipt is deleted", async || left().await == [command("young").to_string()]).await;
    clock.end().await;
}

/// A clock that only starts runs.
async fn starting(options: ClockOptions, log: Log, stop: CancellationToken) -> Result<(), LogError> {
    let reactors: Vec<Box<dyn clock::Reactor>> = vec![Box::new(RunStarts::new(Issuer::new(log.clone())))];
    let options = ClockOptions { lease: quick("clock").lease, ..options };
    clock::run(options, reactors, log, stop).await
}

#[tokio::test]
async fn runs_start_while_rows_are_deleted() {
    let database = support::database().await;
    let caller = Caller::new(&database).await;
    let endless = Cleanup { rows: "many rows", delete: |_| Box::pin(std::future::pending()) };
    let options = ClockOptions { cleanups: vec![endless], ..ClockOptions::owned_by("clock") };
    let stop = CancellationToken::new();
    let clock = tokio::spawn(starting(options, log(&database).await, stop.clone()));
    let run = caller.queue(1).await;
    caller.comes(run, "run:started").await;
    stop.cancel();
    clock.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_column_that_cannot_be_decoded_stops_the_clock() {
    let database = support::database().await;
    chatter(&log(&database).await, 3).await;
    let owner = database.pool().await;
    sqlx::query("alter table log.events disable trigger all").execute(&owner).await.expect("disabled");
    let forged = "update log.events set correlation_id = 'nobody' where position = 2";
    sqlx::query(forged).execute(&owner).await.expect("changed by force");
    let clock = starting(ClockOptions::owned_by("clock"), log(&database).await, CancellationToken::new());
    let ended = tokio::time::timeout(support::DEADLINE, clock).await.expect("it is not retried");
    assert!(ended.as_ref().is_err_and(LogError::is_damage), "{ended:?}");
}

/// A sweeper that runs all the time, until it is aborted.
async fn sweeper(name: &str, log: &Log, storage: &Storage) -> tokio::task::JoinHandle<()> {
    let options = StoredObjectsOptions {
        lease: quick(name).lease,
        sweep_every: Duration::from_millis(50),
        grace: Duration::ZERO,
        ..StoredObjectsOptions::owned_by(name)
    };
    tokio::spawn(stored_objects::run(options, log.clone(), storage.clone(), CancellationToken::new()))
}

#[tokio::test]
async fn a_run_that_is_busy_at_its_end_is_swept_by_the_next_sweeper() {
    let database = support::database().await;
    let log = log(&database).await;
    let storage = Storage::local(support::temp_dir("swept"), "key".to_owned().into(), String::new()).expect("a folder");
    let (tenant, run, block_id) = (TenantId::generate(), RunId::generate(), BlockId::generate());
    let orphan = ObjectKey::new(
        tenant,
        ObjectLocation::Artifact {
            run_id: run,
            artifact_type: "enriched".parse::<Word>().expect("a word"),
            unix: 0,
            artifact_id: ArtifactId::generate(),
            content: Some(ContentHash::of(&"5a".repeat(32)).expect("a hash")),
        },
    );
    storage.put(&orphan, "{}".into(), "application/x-ndjson").await.expect("stored");
    let (stage, block_number, attempt) = (Stage::Enrich, 1, 1);
    let started = BlockStarted { block_id, stage, block_number, attempt, provider: "apollo".into() };
    let deleted = RunEvent::Deleted(RunDeleted {});
    chatter(&log, 3).await;
    append(&log, tenant, run.into(), Version(0), vec![Event::Block(BlockEvent::Started(started)), Event::Run(deleted)])
        .await;
    let end = log.newest().await.expect("the head");
    chatter(&log, 3).await;
    let first = sweeper("first", &log, &storage).await;
    let mut c = log.pool().acquire().await.expect("a connection");
    eventually("the first sweeper met the run", async || {
        follower_position(&mut c, "object-sweep").await.expect("a checkpoint").0 >= end.0 - 1
    })
    .await;
    first.abort();
    let cancelled =
        BlockCancelled { block_id, stage, block_number, attempt, report: None, totals: RunTotals::default() };
    append(&log, tenant, run.into(), Version(2), vec![Event::Block(BlockEvent::Cancelled(Box::new(cancelled)))]).await;
    let path = orphan.to_string();
    assert!(storage.head(&path).await.expect("readable").is_some(), "not while a block is in flight");
    let second = sweeper("second", &fixture::log_at(database.url()).await, &storage).await;
    eventually("the object is removed", async || storage.head(&path).await.expect("readable").is_none()).await;
    second.abort();
}

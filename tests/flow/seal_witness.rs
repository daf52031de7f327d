//! Seals that were removed or replaced are noticed: nothing is sealed a second time.

use std::time::Duration;

use luci_runs::{
    seal_bucket::SealBucket,
    seal_history,
    seal_memory::SealMemory,
    seal_stream::SealStream,
    seal_witness::SealWitness,
    sealer::{self, SealerOptions, object_path},
};
use luci_schema::log::{Log, followers, last_seal};
use luci_storage::Storage;
use tokio_util::sync::CancellationToken;

use super::fixture::{chatter, log, quick};
use crate::support::{self, Database, eventually, nats, seal_key};

struct Sealed {
    database: Database,
    log: Log,
    storage: Storage,
    witness: SealWitness,
}

impl Sealed {
    async fn new() -> Self {
        let database = support::database().await;
        let log = log(&database).await;
        let folder = support::temp_dir("witnessed seals");
        let storage = Storage::local(folder.join("objects"), "key".to_owned().into(), String::new()).expect("a folder");
        Self { database, log, storage, witness: SealWitness::at(folder.join("seals.witness")) }
    }

    /// Runs a sealer until `done`.
    async fn seal_until(&self, witness: Option<SealWitness>, what: &str, done: impl AsyncFn() -> bool) {
        let memory = SealMemory { file: witness, ..SealMemory::default() };
        self.seal_remembered(memory, what, done).await;
    }

    /// The same with any witnesses.
    async fn seal_remembered(&self, memory: SealMemory, what: &str, done: impl AsyncFn() -> bool) {
        let lease = quick("one").lease;
        let every = Duration::from_millis(50);
        let options = SealerOptions { lease, every, memory, ..SealerOptions::owned_by("one", seal_key()) };
        let stop = CancellationToken::new();
        let task = tokio::spawn(sealer::run(options, self.log.clone(), self.storage.clone(), stop.clone()));
        eventually(what, async || done().await).await;
        task.abort();
    }

    async fn sealed_to(&self) -> u64 {
        let mut c = self.log.pool().acquire().await.expect("a connection");
        last_seal(&mut c).await.expect("answered").map_or(0, |seal| seal.to_position.0)
    }

    /// Up to which position the sealer knows that it has sealed: it is moved after the seal and its copy are written.
    async fn checkpoint(&self) -> u64 {
        let mut c = self.log.pool().acquire().await.expect("a connection");
        let all = followers(&mut c).await.expect("answered");
        all.into_iter().find(|follower| follower.name == "seals").map_or(0, |follower| follower.position.0)
    }

    async fn error(&self) -> Option<String> {
        let mut c = self.log.pool().acquire().await.expect("a connection");
        let all = followers(&mut c).await.expect("answered");
        all.into_iter().find(|follower| follower.name == "seals")?.last_error
    }

    /// As the owner of database and store: removes every seal, its object, and if asked the checkpoint.
    async fn remove_seals(&self, checkpoint: bool) {
        let reset = if checkpoint {
            "update log.followers set position = 0, last_error = null where name = 'seals';"
        } else {
            ""
        };
        let sql = format!("alter table log.seals disable trigger all; delete from log.seals; {reset}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.database.pool().await).await.expect("removed");
        for id in 1..=3 {
            let _there_may_be_fewer = self.storage.delete(&object_path(id)).await;
        }
    }
}

#[tokio::test]
async fn seals_that_the_checkpoint_knows_are_not_made_again() {
    let sealed = Sealed::new().await;
    chatter(&sealed.log, 20).await;
    sealed.seal_until(None, "the checkpoint knows all", async || sealed.checkpoint().await == 20).await;
    sealed.remove_seals(false).await;
    let says_so = async || sealed.error().await.is_some_and(|error| error.contains("checkpoint"));
    sealed.seal_until(None, "the sealer reports it", says_so).await;
    assert_eq!(sealed.sealed_to().await, 0);
}

#[tokio::test]
async fn seals_that_the_witness_knows_are_not_made_again() {
    let sealed = Sealed::new().await;
    chatter(&sealed.log, 20).await;
    let witness = || Some(sealed.witness.clone());
    sealed.seal_until(witness(), "the log is sealed", async || sealed.sealed_to().await == 20).await;
    assert!(!sealed.witness.read().expect("lines").is_empty());
    // Everything that the database and the store know of seals is gone: a new sealer would sign whatever is there now.
    sealed.remove_seals(true).await;
    let says_so = async || sealed.error().await.is_some_and(|error| error.contains("witness"));
    sealed.seal_until(witness(), "the sealer reports it", says_so).await;
    assert_eq!(sealed.sealed_to().await, 0);
}

#[tokio::test]
async fn a_witness_that_a_crash_left_behind_catches_up() {
    let sealed = Sealed::new().await;
    chatter(&sealed.log, 20).await;
    sealed.seal_until(None, "the log is sealed", async || sealed.sealed_to().await == 20).await;
    chatter(&sealed.log, 5).await;
    let known = async || sealed.witness.read().expect("lines").last().is_some_and(|seal| seal.to_position.0 == 25);
    sealed.seal_until(Some(sealed.witness.clone()), "the witness knows all", known).await;
    let ids: Vec<u64> = sealed.witness.read().expect("lines").iter().map(|seal| seal.seal_id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn seals_that_the_broker_knows_are_not_made_again() {
    let sealed = Sealed::new().await;
    let nats = nats().await;
    let stream = SealStream::on(&nats.client().await);
    let memory = || SealMemory { broker: Some(stream.clone()), ..SealMemory::default() };
    chatter(&sealed.log, 20).await;
    // The broker gets the seals of the time before it was a witness, too.
    sealed.seal_until(None, "the log is sealed", async || sealed.sealed_to().await == 20).await;
    chatter(&sealed.log, 5).await;
    let known = async || stream.read().await.expect("seals").last().is_some_and(|seal| seal.to_position.0 == 25);
    sealed.seal_remembered(memory(), "the broker knows all", known).await;
    let ids: Vec<u64> = stream.read().await.expect("seals").iter().map(|seal| seal.seal_id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());

    sealed.remove_seals(true).await;
    let says_so =
        async || sealed.error().await.is_some_and(|error| error.contains("stream SEALS knows that position 25"));
    sealed.seal_remembered(memory(), "the sealer reports it", says_so).await;
    assert_eq!(sealed.sealed_to().await, 0);
}

#[tokio::test]
async fn seals_that_another_bucket_knows_are_not_made_again() {
    let sealed = Sealed::new().await;
    let bucket = other_bucket();
    let memory = || SealMemory { bucket: Some(bucket.clone()), ..SealMemory::default() };
    chatter(&sealed.log, 20).await;
    // The bucket gets the seals of the time before it was a witness, too.
    sealed.seal_until(None, "the log is sealed", async || sealed.sealed_to().await == 20).await;
    chatter(&sealed.log, 5).await;
    let known = async || bucket.read().await.expect("seals").last().is_some_and(|seal| seal.to_position.0 == 25);
    sealed.seal_remembered(memory(), "the bucket knows all", known).await;
    let ids: Vec<u64> = bucket.read().await.expect("seals").iter().map(|seal| seal.seal_id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());

    sealed.remove_seals(true).await;
    let says_so =
        async || sealed.error().await.is_some_and(|error| error.contains("the bucket of seals knows that position 25"));
    sealed.seal_remembered(memory(), "the sealer reports it", says_so).await;
    assert_eq!(sealed.sealed_to().await, 0);
}

fn other_bucket() -> SealBucket {
    let folder = support::temp_dir("bucket of seals");
    SealBucket::on(Storage::local(folder, "key".to_owned().into(), String::new()).expect("a folder"))
}

#[tokio::test]
async fn seals_of_a_history_that_was_left_behind_do_not_stop_the_sealer() {
    let sealed = Sealed::new().await;
    let nats = nats().await;
    let stream = SealStream::on(&nats.client().await);
    let bucket = other_bucket();
    let memory = || SealMemory {
        file: Some(sealed.witness.clone()),
        broker: Some(stream.clone()),
        bucket: Some(bucket.clone()),
    };
    chatter(&sealed.log, 20).await;
    let all_know = async || bucket.read().await.expect("seals").last().is_some_and(|seal| seal.to_position.0 == 20);
    sealed.seal_remembered(memory(), "the broker knows all", all_know).await;
    // As if the database were restored to before the first seal; store and witnesses are as they were.
    sqlx::raw_sql(
        "alter table log.seals disable trigger all; delete from log.seals;
                   update log.followers set position = 0 where name = 'seals'",
    )
    .execute(&sealed.database.pool().await)
    .await
    .expect("restored");
    seal_history::leave_behind(&sealed.log, &sealed.storage, &memory()).await.expect("left behind");
    let left = format!("audit/left-behind/{}/seals/0000000001.json", sealed.log.epoch());
    assert!(sealed.storage.head(&left).await.expect("asked").is_some(), "what was sealed stays provable");
    chatter(&sealed.log, 5).await;
    let all_know = async || {
        let last = [stream.read().await.expect("seals").pop(), bucket.read().await.expect("seals").pop()];
        last.iter().all(|seal| seal.is_some_and(|seal| seal.to_position.0 == 25))
    };
    sealed.seal_remembered(memory(), "the log is sealed again", all_know).await;
    assert_eq!(sealed.error().await, None);
}

//! A database with a log, projectors over it, and reads as the gateway does them.

use std::time::{Duration, Instant};

use luci_projections::{FOLLOWER, Projector, ProjectorError, drift, snapshot};
use luci_schema::{
    Position, TenantId,
    log::{self, Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{self, Database};

/// The lock of migration 0200.
const BATCH_LOCK: i64 = 7_305_804_402;

pub struct Fixture {
    pub database: Database,
    pub log: Log,
    /// Role `luci_projector`.
    pub pool: PgPool,
    /// Role `luci_gateway`.
    pub gateway: PgPool,
}

pub async fn fixture() -> Fixture {
    let database = support::database().await;
    let engine = migrate::connect(database.url(), DatabaseRole::Engine, 8).await.expect("a pool");
    let log = Log::open(engine, LogOptions::default()).await.expect("a log");
    let pool = migrate::connect(database.url(), DatabaseRole::Projector, 8).await.expect("a pool");
    let gateway = migrate::connect(database.url(), DatabaseRole::Gateway, 4).await.expect("a pool");
    Fixture { database, log, pool, gateway }
}

/// A running projector.
pub struct Running {
    pub position: watch::Receiver<Position>,
    pub task: JoinHandle<Result<(), ProjectorError>>,
    stop: CancellationToken,
}

impl Running {
    pub async fn reach(&mut self, position: Position) {
        let reached = self.position.wait_for(|at| *at >= position);
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("in time").expect("it runs");
    }

    pub async fn stop(self) -> Result<(), ProjectorError> {
        self.stop.cancel();
        self.task.await.expect("no panic")
    }
}

impl Fixture {
    pub fn project(&self, owner: &str) -> Running {
        let lease = Duration::from_millis(600);
        let projector =
            Projector::new(self.log.clone(), self.pool.clone(), luci_projections::all(), owner).with_lease(lease);
        let (position, stop) = (projector.position(), CancellationToken::new());
        let task = tokio::spawn(projector.run(stop.clone()));
        Running { position, task, stop }
    }

    /// Runs a projector up to the head of the log.
    pub async fn caught_up(&self) {
        let mut running = self.project("fixture");
        running.reach(self.log.head()).await;
        running.stop().await.expect("stopped without an error");
    }

    /// Blocks every batch of every projector until the transaction ends. Batches hold this lock shared, see migration 0200.
    pub async fn block_batches(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut tx = self.pool.begin().await.expect("a transaction");
        sqlx::query("select pg_advisory_xact_lock($1)").bind(BATCH_LOCK).execute(&mut *tx).await.expect("locked");
        tx
    }

    /// Until a projector waits in a batch for the transaction of `block_batches`.
    pub async fn batch_is_blocked(&self) {
        let waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())
            and (classid::bigint << 32 | objid::bigint) = $1)";
        let deadline = Instant::now() + Duration::from_secs(60);
        while !sqlx::query_scalar::<_, bool>(waiting).bind(BATCH_LOCK).fetch_one(&self.pool).await.expect("queried") {
            assert!(Instant::now() < deadline, "no batch began");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The projector's checkpoint, and why it halted.
    pub async fn checkpoint(&self) -> (Position, Option<String>) {
        let mut c = self.pool.acquire().await.expect("a connection");
        let followers = log::followers(&mut c).await.expect("queried");
        let projector = followers.into_iter().find(|follower| follower.name == FOLLOWER).expect("a projector ran");
        (projector.position, projector.last_error)
    }

    /// The lease as it is after its holder has stopped renewing it.
    pub async fn expire_lease(&self) {
        sqlx::query("update log.followers set lease_until = '-infinity'").execute(&self.pool).await.expect("expired");
    }

    /// The tables equal a fresh fold.
    pub async fn assert_no_drift(&self) {
        let drift = drift::check(&self.pool, &self.log, luci_projections::all(), None, &|_| {}).await.expect("checked");
        assert_eq!(drift.position, self.log.head());
        assert!(drift.rows > 0);
        assert_eq!(drift.differences, vec![]);
    }

    /// A transaction as the gateway reads: one tenant's rows are visible.
    pub async fn reading(&self, tenant: TenantId) -> sqlx::Transaction<'static, sqlx::Postgres> {
        snapshot::begin(&self.gateway, tenant).await.expect("a transaction")
    }
}

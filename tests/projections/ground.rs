//! What these tests stand on: a log, and projectors over it.

use std::time::Duration;

use luci_projections::{Projector, ProjectorError, drift};
use luci_schema::{
    Position, TenantId,
    log::{Log, LogOptions},
    migrate::{self, Role},
};
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{self, Database};

pub struct Ground {
    pub database: Database,
    pub log: Log,
    /// Role `luci_projector`.
    pub pool: PgPool,
    /// Role `luci_gateway`.
    pub gateway: PgPool,
}

pub async fn ground() -> Ground {
    let database = support::database().await;
    let engine = migrate::connect(database.url(), Role::Engine, 8).await.expect("a pool");
    let log = Log::open(engine, LogOptions::default()).await.expect("a log");
    let pool = migrate::connect(database.url(), Role::Projector, 8).await.expect("a pool");
    let gateway = migrate::connect(database.url(), Role::Gateway, 4).await.expect("a pool");
    Ground { database, log, pool, gateway }
}

/// A projector at work.
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

impl Ground {
    pub fn project(&self, owner: &str) -> Running {
        let lease = Duration::from_millis(600);
        let projector = Projector::new(self.log.clone(), self.pool.clone(), owner).with_lease(lease);
        let (position, stop) = (projector.position(), CancellationToken::new());
        let task = tokio::spawn(projector.run(stop.clone()));
        Running { position, task, stop }
    }

    /// Projects to the head of the log, and stops.
    pub async fn caught_up(&self) {
        let mut running = self.project("catcher");
        running.reach(self.log.head()).await;
        running.stop().await.expect("an orderly end");
    }

    /// The tables equal a fresh fold.
    pub async fn assert_no_drift(&self) {
        let drift = drift::check(&self.pool, &self.log, None, &|_| {}).await.expect("checked");
        assert_eq!(drift.position, self.log.head());
        assert!(drift.rows > 0);
        assert_eq!(drift.differences, vec![]);
    }

    /// A read as the gateway does it: one tenant's rows are visible.
    pub async fn reading(&self, tenant: TenantId) -> sqlx::Transaction<'static, sqlx::Postgres> {
        migrate::tenant_tx(&self.gateway, tenant).await.expect("a transaction")
    }
}

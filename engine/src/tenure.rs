//! A held lease, renewed in the background: the holder works while `lost` is not set, and gives it back at the end.

use std::time::Duration;

use luci_schema::{
    Position,
    log::{self, Lease, LogError},
    migrate,
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How leases are held.
#[derive(Debug, Clone)]
pub struct TenureOptions {
    /// Who holds it; one name an instance. A restarted process of the same name takes its old lease over at once.
    pub owner: String,
    /// How long a dead holder keeps others waiting.
    pub ttl: Duration,
    /// Between two renewals, and between two tries of those standing by.
    pub renew: Duration,
}

impl TenureOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), ttl: Duration::from_secs(6), renew: Duration::from_secs(2) }
    }
}

/// The time during which this process is the one that does a thing.
pub struct Tenure {
    name: &'static str,
    pool: PgPool,
    epoch: i64,
    position: Position,
    lost: CancellationToken,
    release: CancellationToken,
    /// Ends with the tenure: a holder that broke must not look alive.
    keeper: AbortOnDropHandle<Option<Lease>>,
}

impl Tenure {
    /// Stands by until the lease is ours; `None` when told to stop first. A database that is away is waited for.
    pub async fn begin(
        pool: &PgPool,
        name: &'static str,
        options: &TenureOptions,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let pool = own(pool);
        let mut told = false;
        loop {
            match log::Lease::acquire(&pool, name, &options.owner, options.ttl).await {
                Ok(Some(lease)) => return Some(Self::keep(name, pool, lease, options)),
                Ok(None) if !told => tracing::info!(lease = name, "standing by"),
                Ok(None) => {}
                Err(error) => tracing::warn!(lease = name, %error, "the lease cannot be asked for"),
            }
            told = true;
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(options.renew) => {}
            }
        }
    }

    fn keep(name: &'static str, pool: PgPool, lease: Lease, options: &TenureOptions) -> Self {
        let (lost, release) = (CancellationToken::new(), CancellationToken::new());
        let (epoch, position) = (lease.epoch(), lease.position());
        tracing::info!(lease = name, lease.epoch = epoch, position = position.0, "lease taken");
        metrics::gauge!("luci_lease_held", "lease" => name).set(1.0);
        let renewing = renewals(name, lease, options.clone(), lost.clone(), release.clone());
        let keeper = AbortOnDropHandle::new(tokio::spawn(renewing));
        Self { name, pool, epoch, position, lost, release, keeper }
    }

    /// Cancelled once the lease may be another's.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Connections for the holder's own tables and checkpoint.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The follower's committed position when the lease was taken.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Moves the follower's checkpoint in the caller's transaction; fails when another holds the lease.
    pub async fn checkpoint(&self, c: &mut sqlx::PgConnection, from: Position, to: Position) -> Result<(), LogError> {
        log::checkpoint(c, self.name, self.epoch, from, to).await
    }

    /// Gives the lease back, so that one standing by takes over at once, and leaves word of why the work ended.
    pub async fn end(self, why: Option<&str>) {
        self.release.cancel();
        match self.keeper.await {
            Ok(Some(lease)) => {
                if let Err(error) = lease.report(why).await {
                    tracing::warn!(lease = self.name, %error, "no word was left with the lease");
                }
                lease.release().await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(lease = self.name, %error, "the lease's keeper ended badly"),
        }
    }
}

/// Two connections apart from the work's: blocks that use up the process's pool must not cost it a lease.
fn own(pool: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(5))
        // A save that was given up may have left a transaction open.
        .after_release(|c, _| Box::pin(async move { migrate::end_transaction(c).await.map(|()| true) }))
        .connect_lazy_with((*pool.connect_options()).clone())
}

async fn renewals(
    name: &'static str,
    mut lease: Lease,
    options: TenureOptions,
    lost: CancellationToken,
    release: CancellationToken,
) -> Option<Lease> {
    let mut sure_until = tokio::time::Instant::now() + options.ttl;
    loop {
        tokio::select! {
            () = release.cancelled() => break,
            () = tokio::time::sleep(options.renew) => {}
        }
        let asked = tokio::time::Instant::now();
        match tokio::time::timeout(options.renew, lease.renew()).await {
            Ok(Ok(true)) => sure_until = asked + options.ttl,
            Ok(Ok(false)) => break,
            Ok(Err(error)) => tracing::warn!(lease = name, %error, "lease not renewed"),
            Err(_) => tracing::warn!(lease = name, "lease not renewed in time"),
        }
        if tokio::time::Instant::now() + options.renew >= sure_until {
            break;
        }
    }
    metrics::gauge!("luci_lease_held", "lease" => name).set(0.0);
    lost.cancel();
    if release.is_cancelled() {
        return Some(lease);
    }
    tracing::warn!(lease = name, "lease lost");
    None
}

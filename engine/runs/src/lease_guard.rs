//! A held lease, renewed in the background: the holder works until `lost` is cancelled, and releases it at the end.

use std::time::Duration;

use luci_schema::{
    Position,
    log::{self, Lease, LogError},
    migrate,
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

#[derive(Debug, Clone)]
pub struct LeaseOptions {
    /// The holder's name, unique per instance. A restarted process with the same name takes its old lease over immediately.
    pub owner: String,
    /// How long the lease of a dead holder blocks the others.
    pub ttl: Duration,
    /// Interval of renewals, and of the tries of a process that waits for the lease.
    pub renew: Duration,
}

impl LeaseOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), ttl: Duration::from_secs(4), renew: Duration::from_secs(1) }
    }
}

/// While it exists and `lost` is not cancelled, this process is the only holder of the lease.
pub struct LeaseGuard {
    name: &'static str,
    pool: PgPool,
    epoch: i64,
    position: Position,
    lost: CancellationToken,
    release: CancellationToken,
    /// Aborted on drop: a holder that panicked must not go on renewing.
    renewal: AbortOnDropHandle<Option<Lease>>,
}

impl LeaseGuard {
    /// Waits until the lease is acquired; `None` when `stop` is cancelled first. Retries while the database is unavailable.
    pub async fn acquire(
        pool: &PgPool,
        name: &'static str,
        options: &LeaseOptions,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let pool = separate_pool(pool);
        let mut first = true;
        loop {
            match log::Lease::acquire(&pool, name, &options.owner, options.ttl).await {
                Ok(Some(lease)) => return Some(Self::renewing(name, pool, lease, options)),
                Ok(None) if first => tracing::info!(lease = name, "lease held by another process, waiting"),
                Ok(None) => {}
                Err(error) => tracing::warn!(lease = name, %error, "lease acquisition failed, retrying"),
            }
            first = false;
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(options.renew) => {}
            }
        }
    }

    fn renewing(name: &'static str, pool: PgPool, lease: Lease, options: &LeaseOptions) -> Self {
        let (lost, release) = (CancellationToken::new(), CancellationToken::new());
        let (epoch, position) = (lease.epoch(), lease.position());
        tracing::info!(lease = name, lease.epoch = epoch, position = position.0, "lease acquired");
        metrics::gauge!("luci_lease_held", "lease" => name).set(1.0);
        let renewal = tokio::spawn(renew(name, lease, options.clone(), lost.clone(), release.clone()));
        Self { name, pool, epoch, position, lost, release, renewal: AbortOnDropHandle::new(renewal) }
    }

    /// Cancelled as soon as another process may hold the lease.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Connections for the holder's own tables and checkpoint.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The follower's checkpoint when the lease was acquired.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Moves the follower's checkpoint in the caller's transaction.
    ///
    /// # Errors
    /// `LogError::Fenced` when another process holds the lease.
    pub async fn checkpoint(&self, c: &mut sqlx::PgConnection, from: Position, to: Position) -> Result<(), LogError> {
        log::checkpoint(c, self.name, self.epoch, from, to).await
    }

    /// Releases the lease, so that a waiting process acquires it immediately, and stores `error`, why the work ended.
    pub async fn release(self, error: Option<&str>) {
        self.release.cancel();
        match self.renewal.await {
            Ok(Some(lease)) => {
                if let Err(error) = lease.report(error).await {
                    tracing::warn!(lease = self.name, %error, "lease error report failed");
                }
                lease.release().await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(lease = self.name, %error, "lease renewal task failed"),
        }
    }
}

/// Two connections apart from the process's pool: blocks that exhaust that pool must not cost the lease.
fn separate_pool(pool: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(5))
        // A cancelled save may have left a transaction open.
        .after_release(|c, _| Box::pin(async move { migrate::end_transaction(c).await.map(|()| true) }))
        .connect_lazy_with((*pool.connect_options()).clone())
}

async fn renew(
    name: &'static str,
    mut lease: Lease,
    options: LeaseOptions,
    lost: CancellationToken,
    release: CancellationToken,
) -> Option<Lease> {
    let mut valid_until = tokio::time::Instant::now() + options.ttl;
    loop {
        tokio::select! {
            () = release.cancelled() => break,
            () = tokio::time::sleep(options.renew) => {}
        }
        let started = tokio::time::Instant::now();
        match tokio::time::timeout(options.renew, lease.renew()).await {
            Ok(Ok(true)) => valid_until = started + options.ttl,
            Ok(Ok(false)) => break,
            Ok(Err(error)) => tracing::warn!(lease = name, %error, "lease renewal failed"),
            Err(_) => tracing::warn!(lease = name, "lease renewal timed out"),
        }
        if tokio::time::Instant::now() + options.renew >= valid_until {
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

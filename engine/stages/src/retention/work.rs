//! Removes what retention ends, in the process that holds the lease.

use std::time::Duration;

use luci_config::{
    By,
    change::{Change, record},
    tenants,
};
use luci_runs::lease_guard::{LeaseGuard, LeaseOptions};
use luci_schema::{ConfigEvent, Micros, TenantId, event::ObjectExpired, log::Log, object_version};
use luci_storage::{ListedObject, Storage};
use tokio_util::sync::CancellationToken;

use super::{RetentionError, candidates, table};

#[derive(Debug, Clone)]
pub struct RetentionOptions {
    pub lease: LeaseOptions,
    /// From the end of one pass over all tenants to the next.
    pub every: Duration,
}

impl RetentionOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self { lease: LeaseOptions::owned_by(owner), every: Duration::from_secs(6 * 3_600) }
    }
}

/// Objects of one transaction and event.
const BATCH: usize = 200;
const AFTER_ERROR: Duration = Duration::from_secs(60);

/// Applies the rules until `stop`. Errors are logged and retried.
pub async fn run(options: RetentionOptions, log: Log, storage: Storage, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let Some(lease) = LeaseGuard::acquire(log.pool(), "retention", &options.lease, &stop).await else { break };
        let work = async {
            loop {
                let rest = match apply_all(&log, &storage).await {
                    Ok(()) => options.every,
                    Err(error) => {
                        tracing::warn!(%error, "retention failed, retrying");
                        AFTER_ERROR
                    }
                };
                tokio::time::sleep(rest).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
            () = lease.lost().cancelled() => {}
        }
        lease.release(None).await;
    }
}

async fn apply_all(log: &Log, storage: &Storage) -> Result<(), RetentionError> {
    let mut c = log.pool().acquire().await?;
    let tenants = table::tenants(&mut c).await?;
    drop(c);
    for tenant in tenants {
        let removed = apply(log, storage, tenant, Micros::now()).await?;
        if removed > 0 {
            tracing::info!(tenant.id = %tenant, removed, "retention removed objects");
        }
    }
    Ok(())
}

/// Applies the rules of one tenant as they are at a time; returns how many objects went.
///
/// # Errors
/// When store, log or database fails; what was removed until then stays removed, and recorded.
pub async fn apply(log: &Log, storage: &Storage, tenant: TenantId, now: Micros) -> Result<u64, RetentionError> {
    let mut c = log.pool().acquire().await?;
    let rules = table::of(&mut c, tenant).await?;
    drop(c);
    let mut removed = 0;
    for (domain, days) in rules {
        let found = candidates::of(log, storage, tenant, (&domain, days), now).await?;
        let free: Vec<ListedObject> = found.into_iter().filter(|one| !one.needed).map(|one| one.object).collect();
        for batch in free.chunks(BATCH) {
            expire(log, storage, tenant, &domain, batch).await?;
            removed += batch.len() as u64;
        }
    }
    Ok(removed)
}

/// The rows say it first, then the objects go: an object that is missing is never unexplained.
async fn expire(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    domain: &str,
    batch: &[ListedObject],
) -> Result<(), RetentionError> {
    let mut tx = log.pool().begin().await?;
    let paths: Vec<&str> = batch.iter().map(|object| object.path.as_str()).collect();
    // A process that ended after its commit left objects that are recorded already.
    let known = object_version::among(&mut tx, tenant, &paths).await?;
    let is_known = |path: &str| known.get(path).is_some_and(|version| version.expired_at.is_some());
    let new: Vec<&ListedObject> = batch.iter().filter(|object| !is_known(&object.path)).collect();
    let object_paths: Vec<String> = new.iter().map(|object| object.path.clone()).collect();
    let mut gone: Vec<String> = batch.iter().map(|object| object.path.clone()).collect();
    if !new.is_empty() {
        gone.extend(object_version::expired(&mut tx, tenant, &object_paths).await?);
        let expired = ObjectExpired {
            domain: domain.to_owned(),
            objects: new.len() as u64,
            size_bytes: new.iter().map(|object| object.size_bytes).sum(),
            object_paths,
        };
        let event = ConfigEvent::ObjectExpired(Box::new(expired)).into();
        let version = tenants::lock(&mut tx, tenant).await?;
        record(log, &mut tx, tenant, Change::after(tenant, version, vec![event]), &By::system()).await?;
    }
    tx.commit().await?;
    log.wake();
    for path in gone {
        storage.delete(&path).await?;
    }
    metrics::counter!("luci_objects_expired_total", "domain" => domain.to_owned()).increment(new.len() as u64);
    Ok(())
}

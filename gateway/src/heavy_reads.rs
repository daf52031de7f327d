//! Reads that fold or verify a whole history: few at a time, so that they cost neither the process its memory nor another
//! tenant, or another role of this process, its turn.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{StatusCode, header};
use luci_schema::TenantId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::problem::Problem;

/// Heavy reads of a process at once.
pub const AT_ONCE: usize = 4;
/// Of them, those of one tenant.
pub const OF_ONE_TENANT: usize = 2;
/// How long a read waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a refused caller may try again, in seconds.
const RETRY_AFTER: &str = "5";

/// The turns of heavy reads.
#[derive(Debug)]
pub struct HeavyReads {
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// The right to read; dropping it gives the turn to the next.
#[derive(Debug)]
pub struct HeavyRead {
    _of_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for HeavyReads {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), tenants: Mutex::default() }
    }
}

impl HeavyReads {
    /// Waits for a turn.
    ///
    /// # Errors
    /// 503 with `Retry-After` when it does not come in time.
    pub async fn begin(&self, tenant: TenantId) -> Result<HeavyRead, Problem> {
        self.begin_within(tenant, PATIENCE).await.ok_or_else(busy)
    }

    /// Waits for a turn as long as it takes: for an answer that has already begun.
    pub async fn wait(&self, tenant: TenantId) -> Option<HeavyRead> {
        // Waiting for the tenant's turn first: a tenant's queue takes no turn of the process.
        let of_tenant = self.of(tenant).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(HeavyRead { _of_tenant: of_tenant, _of_all: of_all })
    }

    async fn begin_within(&self, tenant: TenantId, patience: Duration) -> Option<HeavyRead> {
        let turn = timeout(patience, self.wait(tenant)).await.ok().flatten();
        if turn.is_none() {
            metrics::counter!("luci_heavy_reads_refused_total").increment(1);
        }
        turn
    }

    /// The turns of a tenant. Those of tenants without a read are forgotten.
    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE_TENANT))))
    }
}

fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many reads of whole histories")
        .detail("This read folds a whole history, and others did not end in time. Try again.")
        .header(header::RETRY_AFTER, RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn a_tenant_takes_only_its_share_of_the_turns() {
        let (reads, one, two, three) =
            (HeavyReads::default(), TenantId::generate(), TenantId::generate(), TenantId::generate());
        let mut held = Vec::new();
        for tenant in [one, one, two, two] {
            held.push(reads.begin_within(tenant, SOON).await.expect("a turn"));
        }
        assert!(reads.begin_within(one, SOON).await.is_none(), "the tenant has its share");
        assert!(reads.begin_within(three, SOON).await.is_none(), "all turns are taken");
        held.remove(0);
        assert!(reads.begin_within(three, SOON).await.is_some());
        held.clear();
        drop(reads.begin_within(three, SOON).await.expect("a turn"));
        drop(reads.of(three));
        assert_eq!(reads.tenants.lock().unwrap().len(), 1, "tenants without a read are forgotten");
    }

    #[test]
    fn a_refused_read_says_when_to_try_again() {
        let response = busy().into_response("r");
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    }
}

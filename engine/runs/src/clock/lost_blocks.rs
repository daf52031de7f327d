//! Every minute: looks for blocks of running runs that the broker will never deliver.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_nats::Client;
use futures::{FutureExt as _, future::BoxFuture};
use luci_schema::{Micros, Recorded, log::Log};
use sqlx::PgConnection;

use super::{
    admissions,
    reactor::{Command, Reactor},
};
use crate::{
    issue::Issuer,
    worker::{SweepError, redeliver_lost},
};

/// Keeps no state but the time: a sweep reads the runs that have a slot.
pub struct LostBlocks {
    issuer: Issuer,
    log: Log,
    client: Client,
    interval: Duration,
    /// When the next sweep is due; `i64::MAX` while one runs.
    due: Arc<AtomicI64>,
}

impl LostBlocks {
    /// The first sweep is due after one `interval`.
    pub fn new(issuer: Issuer, log: Log, client: Client, interval: Duration) -> Self {
        let due = Arc::new(AtomicI64::new(after(interval)));
        Self { issuer, log, client, interval, due }
    }
}

impl Reactor for LostBlocks {
    fn load<'a>(&'a mut self, _: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        // A sweep that an earlier session began sets the time of its own.
        self.due = Arc::new(AtomicI64::new(after(self.interval)));
        async { Ok(()) }.boxed()
    }

    fn fold(&mut self, _: &Recorded) {}

    fn next_due(&self) -> Option<Micros> {
        Some(Micros(self.due.load(Ordering::Relaxed)))
    }

    fn take(&mut self, now: Micros) -> Vec<Command> {
        if self.due.load(Ordering::Relaxed) > now.0 {
            return Vec::new();
        }
        self.due.store(i64::MAX, Ordering::Relaxed);
        let (issuer, log, client) = (self.issuer.clone(), self.log.clone(), self.client.clone());
        let (due, interval) = (Arc::clone(&self.due), self.interval);
        let sweep = async move {
            if let Err(error) = sweep(&client, &issuer, &log).await {
                tracing::warn!(%error, "sweep for lost blocks failed");
            }
            due.store(after(interval), Ordering::Relaxed);
        };
        vec![sweep.boxed()]
    }

    fn save<'a>(&'a mut self, _: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async { Ok(()) }.boxed()
    }
}

async fn sweep(client: &Client, issuer: &Issuer, log: &Log) -> Result<usize, SweepError> {
    let runs = admissions::active(log.pool()).await.map_err(luci_schema::log::LogError::Database)?;
    redeliver_lost(client, issuer, log, &runs).await
}

fn after(interval: Duration) -> i64 {
    Micros::now().plus_millis(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)).0
}

//! The clock's reactor that launches the runs of automations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{FutureExt as _, future::BoxFuture};
use luci_runs::{
    clock::{Command, Reactor},
    issue::Issuer,
};
use luci_schema::{Micros, Recorded, log::Log};
use luci_storage::Storage;
use sqlx::PgConnection;

use super::{
    fold::Automations,
    launch::{self, Launched},
    table,
    trigger::Launch,
};

/// Milliseconds before a launch that was not decided is tried again.
const RETRY_AFTER_MS: i64 = 1_000;

pub struct AutomationRuns {
    issuer: Issuer,
    log: Log,
    /// Holds the payloads of webhooks.
    storage: Storage,
    automations: Arc<Mutex<Automations>>,
}

impl AutomationRuns {
    pub fn new(issuer: Issuer, log: Log, storage: Storage) -> Self {
        Self { issuer, log, storage, automations: Arc::default() }
    }

    fn automations(&self) -> MutexGuard<'_, Automations> {
        self.automations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reactor for AutomationRuns {
    fn load<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            self.automations = Arc::new(Mutex::new(table::load(c).await?));
            Ok(())
        }
        .boxed()
    }

    fn fold(&mut self, recorded: &Recorded) {
        self.automations().fold(recorded);
    }

    fn next_due(&self) -> Option<Micros> {
        self.automations().next_due()
    }

    fn take(&mut self, now: Micros) -> Vec<Command> {
        let taken = self.automations().take(now);
        let start = |launch: Launch| {
            let (issuer, log, storage) = (self.issuer.clone(), self.log.clone(), self.storage.clone());
            let automations = Arc::clone(&self.automations);
            async move {
                let launched = launch::launch(&issuer, (&log, &storage), &launch).await;
                let mut automations = automations.lock().unwrap_or_else(PoisonError::into_inner);
                match launched {
                    // The log has the outcome, or will have it.
                    Launched::Recorded => {}
                    Launched::NoMatch => automations.settle(launch.automation, &launch.cause.key()),
                    Launched::Undecided => automations.retry_at(&launch, Micros::now().plus_millis(RETRY_AFTER_MS)),
                }
            }
            .boxed()
        };
        taken.into_iter().map(start).collect()
    }

    fn save<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        let changes = table::Changes::take(&mut self.automations());
        async move { table::save(c, changes?).await }.boxed()
    }
}

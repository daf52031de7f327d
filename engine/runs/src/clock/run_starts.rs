//! Starts queued runs while their tenant has a free slot.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use luci_schema::{Micros, Recorded};
use sqlx::PgConnection;

use super::{
    admissions, cause,
    reactor::{Command, Reactor},
    slots::{Admission, Slots, StartOutcome},
};
use crate::{
    core::RunCommand,
    issue::{IssueError, Issuer},
};

/// Before a start that was not decided is issued again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub struct RunStarts {
    issuer: Issuer,
    slots: Arc<Mutex<Slots>>,
}

impl RunStarts {
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer, slots: Arc::default() }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reactor for RunStarts {
    fn load<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            self.slots = Arc::new(Mutex::new(admissions::load(c).await?));
            Ok(())
        }
        .boxed()
    }

    fn fold(&mut self, recorded: &Recorded) {
        self.slots().fold(recorded);
    }

    fn next_due(&self) -> Option<Micros> {
        None
    }

    fn take(&mut self, _: Micros) -> Vec<Command> {
        let mut slots = self.slots();
        let admitted = slots.admit();
        metrics::gauge!("luci_runs_waiting").set(slots.waiting() as f64);
        drop(slots);
        let start = |admission: Admission| {
            let (issuer, slots) = (self.issuer.clone(), Arc::clone(&self.slots));
            async move {
                let outcome = start(&issuer, &admission).await;
                slots.lock().unwrap_or_else(PoisonError::into_inner).settle(admission.run, outcome);
            }
            .boxed()
        };
        admitted.into_iter().map(start).collect()
    }

    fn save<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        let changes = admissions::AdmissionChanges::take(&mut self.slots());
        async move { admissions::save(c, changes).await }.boxed()
    }
}

#[tracing::instrument(
    name = "clock_command",
    skip_all,
    fields(command = "start", tenant.id = %admission.tenant, run.id = %admission.run),
)]
async fn start(issuer: &Issuer, admission: &Admission) -> StartOutcome {
    // A run that begins now would read what is being removed, and an erasure would never find the tenant at rest.
    match admissions::erasing(issuer.log().pool(), admission.tenant).await {
        Ok(false) => {}
        held => {
            if let Err(error) = held {
                tracing::warn!(%error, "run start failed, retrying");
            }
            tokio::time::sleep(RETRY_AFTER).await;
            return StartOutcome::Retry;
        }
    }
    let cause = cause("start", admission.tenant, admission.run, admission.event);
    match issuer.issue(admission.tenant, admission.run, &RunCommand::Start, cause).await {
        Ok(_) | Err(IssueError::AlreadyDone(_)) => StartOutcome::Decided,
        // Cancelled or started meanwhile: its event will be folded.
        Err(IssueError::Refused(_)) => StartOutcome::Decided,
        Err(IssueError::NotFound) => StartOutcome::Impossible,
        Err(IssueError::Log(error)) if error.is_damage() => {
            tracing::error!(tenant.id = %admission.tenant, run.id = %admission.run, %error, "run start impossible");
            StartOutcome::Impossible
        }
        Err(error) => {
            tracing::warn!(tenant.id = %admission.tenant, run.id = %admission.run, %error, "run start failed, retrying");
            tokio::time::sleep(RETRY_AFTER).await;
            StartOutcome::Retry
        }
    }
}

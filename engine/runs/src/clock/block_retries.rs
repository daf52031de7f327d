//! Retries failed blocks when their retry is due.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{FutureExt as _, future::BoxFuture};
use luci_schema::{Micros, Recorded};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    cause,
    reactor::{Command, Reactor},
    retry_timers::{RetryTimer, RetryTimers},
    timers,
};
use crate::{
    core::RunCommand,
    issue::{IssueError, Issuer},
};

/// Milliseconds before a retry that was not decided is issued again.
const RETRY_AFTER_MS: i64 = 1_000;

/// Whether a provider answers, by its name.
pub type ProviderProbe = Arc<dyn Fn(Arc<str>) -> BoxFuture<'static, bool> + Send + Sync>;

pub struct BlockRetries {
    issuer: Issuer,
    timers: Arc<Mutex<RetryTimers>>,
    /// Asked while blocks wait for a provider.
    probe: ProviderProbe,
}

impl BlockRetries {
    pub fn new(issuer: Issuer, probe: ProviderProbe) -> Self {
        Self { issuer, timers: Arc::default(), probe }
    }

    fn timers(&self) -> MutexGuard<'_, RetryTimers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reactor for BlockRetries {
    fn load<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            self.timers = Arc::new(Mutex::new(timers::load(c).await?));
            Ok(())
        }
        .boxed()
    }

    fn fold(&mut self, recorded: &Recorded) {
        self.timers().fold(recorded);
    }

    fn next_due(&self) -> Option<Micros> {
        self.timers().next()
    }

    fn take(&mut self, now: Micros) -> Vec<Command> {
        let (taken, probed) = {
            let mut timers = self.timers();
            (timers.take(now), timers.take_probes(now))
        };
        let retry = |timer: RetryTimer| {
            let (issuer, timers) = (self.issuer.clone(), Arc::clone(&self.timers));
            async move {
                let outcome = retry(&issuer, &timer).await;
                let mut timers = timers.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    RetryOutcome::Decided => {}
                    RetryOutcome::Refused => timers.park(&timer),
                    RetryOutcome::Undecided => timers.reschedule(&timer, Micros::now().plus_millis(RETRY_AFTER_MS)),
                }
            }
            .boxed()
        };
        let probe = |provider: Arc<str>| {
            let (answers, timers) = ((self.probe)(Arc::clone(&provider)), Arc::clone(&self.timers));
            async move {
                let answered = answers.await;
                if answered {
                    tracing::info!(%provider, "provider answers again, its blocks are retried");
                }
                timers.lock().unwrap_or_else(PoisonError::into_inner).probed(&provider, answered, Micros::now());
            }
            .boxed()
        };
        let probes: Vec<Command> = probed.into_iter().map(probe).collect();
        taken.into_iter().map(retry).chain(probes).collect()
    }

    fn save<'a>(&'a mut self, c: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        let changes = timers::TimerChanges::take(&mut self.timers());
        async move { timers::save(c, changes).await }.boxed()
    }
}

enum RetryOutcome {
    /// Accepted or superseded: the log has the result.
    Decided,
    /// Refused now; due again when the run resumes.
    Refused,
    Undecided,
}

#[tracing::instrument(
    name = "clock_command",
    skip_all,
    fields(command = "retry", tenant.id = %timer.tenant, run.id = %timer.run, block.id = %timer.block),
)]
async fn retry(issuer: &Issuer, timer: &RetryTimer) -> RetryOutcome {
    let mut cause = cause("retry", timer.tenant, timer.run, timer.event);
    // The receipt makes a second command harmless even after the block has failed once more.
    cause.receipt = Some(([0; 32], json!({"firedBy": timer.event})));
    let (tenant, run, block) = (timer.tenant, timer.run, timer.block);
    match issuer.issue(tenant, run, &RunCommand::RetryBlock(block), cause).await {
        Ok(_) | Err(IssueError::AlreadyDone(_) | IssueError::NotFound) => RetryOutcome::Decided,
        Err(IssueError::Refused(refusal)) => {
            tracing::info!(
                tenant.id = %tenant, run.id = %run, block.id = %block, %refusal, "block retry refused, waiting for the run to resume"
            );
            RetryOutcome::Refused
        }
        Err(IssueError::Log(error)) if error.is_damage() => {
            tracing::error!(
                tenant.id = %tenant, run.id = %run, block.id = %block, %error, "block retry impossible"
            );
            RetryOutcome::Refused
        }
        Err(error) => {
            tracing::warn!(
                tenant.id = %tenant, run.id = %run, block.id = %block, %error, "block retry failed, retrying"
            );
            RetryOutcome::Undecided
        }
    }
}

//! The clock's commands under way: beside the following, never in front of it.

use std::{sync::Arc, time::Duration};

use luci_schema::{Actor, CommandId, EventId, RunId, TenantId, log::Log};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Known,
    automations::Wanted,
    due::Timer,
    launch::{self, Launched},
    slots::{Admission, Started},
};
use crate::{
    issue::{Cause, IssueError, Issuer},
    run::RunCommand,
    storage::Storage,
};

/// Commands issued at once.
const AT_ONCE: usize = 64;
/// Before a command that nothing was decided on is issued again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the commands under way are waited for at the end.
const END: Duration = Duration::from_secs(2);

/// What came of a command.
pub(super) enum Fired {
    Start(RunId, Started),
    /// Taken up, or overtaken: the log has told, or will.
    Retried,
    RetryRefused(Timer),
    RetryNotNow(Timer),
    Launch(Box<Wanted>, Launched),
}

impl Fired {
    pub(super) fn settle(self, known: &mut Known) {
        match self {
            Self::Start(run, started) => known.slots.settle(run, started),
            Self::Retried => {}
            Self::RetryRefused(timer) => known.due.park(&timer),
            Self::RetryNotNow(timer) => {
                let due = known.now().plus_millis(1_000);
                known.due.again(&timer, due);
            }
            // The log tells.
            Self::Launch(_, Launched::Told) => {}
            Self::Launch(wanted, Launched::Unwanted) => known.automations.told(wanted.automation, &wanted.cause.key()),
            Self::Launch(wanted, Launched::NotNow) => {
                let at = known.now().plus_millis(1_000);
                known.automations.again(&wanted, at);
            }
        }
    }
}

pub(super) struct Firing {
    issuer: Issuer,
    tasks: JoinSet<Fired>,
    room: Arc<Semaphore>,
}

impl Firing {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self { issuer, tasks: JoinSet::new(), room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) fn starts(&mut self, admitted: Vec<Admission>) {
        for admission in admitted {
            let (issuer, room) = (self.issuer.clone(), Arc::clone(&self.room));
            self.tasks.spawn(async move {
                let _room = room.acquire_owned().await;
                Fired::Start(admission.run, start(&issuer, &admission).await)
            });
        }
    }

    pub(super) fn retries(&mut self, due: Vec<Timer>) {
        for timer in due {
            let (issuer, room) = (self.issuer.clone(), Arc::clone(&self.room));
            self.tasks.spawn(async move {
                let _room = room.acquire_owned().await;
                retry(&issuer, timer).await
            });
        }
    }

    pub(super) fn launches(&mut self, wanted: Vec<Wanted>, log: &Log, storage: &Storage) {
        for wanted in wanted {
            let (issuer, log, storage) = (self.issuer.clone(), log.clone(), storage.clone());
            let room = Arc::clone(&self.room);
            self.tasks.spawn(async move {
                let _room = room.acquire_owned().await;
                let launched = launch::launch(&issuer, (&log, &storage), &wanted).await;
                Fired::Launch(Box::new(wanted), launched)
            });
        }
    }

    /// The next outcome; `None` while nothing is under way.
    pub(super) async fn next(&mut self) -> Option<Fired> {
        loop {
            match self.tasks.join_next().await? {
                Ok(fired) => return Some(fired),
                Err(error) => tracing::error!(%error, "a command of the clock broke"),
            }
        }
    }

    pub(super) async fn finish(mut self, known: &mut Known) {
        let rest = async {
            while let Some(fired) = self.next().await {
                fired.settle(known);
            }
        };
        if tokio::time::timeout(END, rest).await.is_err() {
            tracing::info!("stopped with commands of the clock under way; the next clock issues them again");
        }
    }
}

async fn start(issuer: &Issuer, admission: &Admission) -> Started {
    let cause = cause("start", admission.tenant, admission.run, admission.event);
    match issuer.issue(admission.tenant, admission.run, &RunCommand::Start, cause).await {
        Ok(_) | Err(IssueError::AlreadyDone(_)) => Started::Settled,
        // Cancelled or started meanwhile: its event is on its way here.
        Err(IssueError::Refused(_)) => Started::Settled,
        Err(IssueError::NotFound) => Started::Refused,
        Err(error) => {
            tracing::warn!(run.id = %admission.run, %error, "the run was not started");
            tokio::time::sleep(AGAIN).await;
            Started::NotNow
        }
    }
}

async fn retry(issuer: &Issuer, timer: Timer) -> Fired {
    let mut cause = cause("retry", timer.tenant, timer.run, timer.event);
    // The receipt makes a second firing harmless even after the block has failed once more.
    cause.receipt = Some(([0; 32], json!({"firedBy": timer.event})));
    match issuer.issue(timer.tenant, timer.run, &RunCommand::RetryBlock(timer.block), cause).await {
        Ok(_) | Err(IssueError::AlreadyDone(_) | IssueError::NotFound) => Fired::Retried,
        Err(IssueError::Refused(refusal)) => {
            tracing::info!(run.id = %timer.run, block.id = %timer.block, %refusal, "the retry waits for its run");
            Fired::RetryRefused(timer)
        }
        Err(error) => {
            tracing::warn!(run.id = %timer.run, block.id = %timer.block, %error, "the block was not retried");
            Fired::RetryNotNow(timer)
        }
    }
}

fn cause(what: &str, tenant: TenantId, run: RunId, set_by: EventId) -> Cause {
    Cause {
        actor: Actor::System,
        command: CommandId::derive(&["clock", what, &tenant.to_string(), &run.to_string(), &set_by.to_string()]),
        correlation: None,
        causation: Some(set_by),
        receipt: None,
        if_match: None,
    }
}

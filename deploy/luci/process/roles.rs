//! The roles of one process: each is started, restarted with backoff when it fails, and drained at the end.

use std::{
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::broker::BrokerUser;

/// A part of LUCI that runs on its own. Any number of processes may run each; of projections, relay and clock the holder of
/// the lease is active, and the others wait for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum ProcessRole {
    /// Answers HTTP.
    Gateway,
    /// Executes blocks.
    Engine,
    /// Folds the log into the read tables.
    Projections,
    /// Publishes the log on NATS.
    Relay,
    /// Issues commands when they are due.
    Clock,
    /// Sends queued messages to leads.
    Sender,
}

impl ProcessRole {
    pub const ALL: [Self; 6] = [Self::Gateway, Self::Engine, Self::Projections, Self::Relay, Self::Clock, Self::Sender];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Engine => "engine",
            Self::Projections => "projections",
            Self::Relay => "relay",
            Self::Clock => "clock",
            Self::Sender => "sender",
        }
    }

    /// The user of NATS that the role works as; `None`: it needs none.
    pub const fn broker_user(self) -> Option<BrokerUser> {
        match self {
            Self::Gateway => Some(BrokerUser::Gateway),
            Self::Engine => Some(BrokerUser::Engine),
            Self::Relay => Some(BrokerUser::Relay),
            Self::Clock => Some(BrokerUser::Clock),
            Self::Projections | Self::Sender => None,
        }
    }
}

impl fmt::Display for ProcessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Name and error of each role of this process that failed and was not restarted yet; the readiness check reads it.
#[derive(Debug, Clone)]
pub struct DegradedRoles(watch::Sender<Vec<(&'static str, String)>>);

impl Default for DegradedRoles {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl DegradedRoles {
    fn set(&self, role: ProcessRole, error: Option<String>) {
        metrics::gauge!("luci_role_up", "role" => role.as_str()).set(if error.is_none() { 1.0 } else { 0.0 });
        self.0.send_modify(|degraded| {
            degraded.retain(|(name, _)| *name != role.as_str());
            degraded.extend(error.map(|error| (role.as_str(), error)));
        });
    }

    pub fn subscribe(&self) -> watch::Receiver<Vec<(&'static str, String)>> {
        self.0.subscribe()
    }
}

const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A role that ran for this long starts over with the first backoff.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// The running roles.
#[derive(Debug)]
pub struct Roles {
    pub degraded: DegradedRoles,
    running: JoinSet<()>,
    first_backoff: Duration,
}

impl Default for Roles {
    fn default() -> Self {
        Self { degraded: DegradedRoles::default(), running: JoinSet::new(), first_backoff: FIRST_BACKOFF }
    }
}

impl Roles {
    /// Runs `role` until `stop`. When its future returns or panics earlier, `begin` makes another one after a backoff that
    /// doubles each time.
    pub fn start<F, E, R>(&mut self, role: ProcessRole, stop: CancellationToken, begin: F)
    where
        F: Fn(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send,
        E: fmt::Display + Send,
    {
        let (degraded, first_backoff) = (self.degraded.clone(), self.first_backoff);
        degraded.set(role, None);
        self.running.spawn(async move {
            let mut backoff = first_backoff;
            loop {
                let started = Instant::now();
                let ended = AssertUnwindSafe(begin(stop.clone())).catch_unwind().await;
                if stop.is_cancelled() {
                    return;
                }
                let error = match ended {
                    Ok(Ok(())) => "returned before it was stopped".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_panic) => "panicked".to_owned(),
                };
                if started.elapsed() > HEALTHY_AFTER {
                    backoff = first_backoff;
                }
                let backoff_ms = u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(role = role.as_str(), error, backoff_ms, "role failed, restarting after backoff");
                metrics::counter!("luci_role_failures_total", "role" => role.as_str()).increment(1);
                degraded.set(role, Some(error));
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(MAX_BACKOFF);
                degraded.set(role, None);
            }
        });
    }

    /// Waits until every role has ended; the caller cancels `stop` first. After `timeout` the remaining ones are aborted.
    pub async fn drain(mut self, timeout: Duration) {
        let ended = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(timeout, ended).await.is_err() {
            tracing::warn!(drain_s = timeout.as_secs(), aborted = self.running.len(), "drain timed out, roles aborted");
            self.running.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Duration = Duration::from_secs(60);

    /// Roles whose first backoff is this: none, or longer than any test, so that no test depends on how fast it runs.
    fn roles(first_backoff: Duration) -> (Roles, CancellationToken) {
        (Roles { first_backoff, ..Roles::default() }, CancellationToken::new())
    }

    #[tokio::test]
    async fn a_failed_role_is_degraded_until_its_backoff_ends() {
        let (mut roles, stop) = roles(Duration::from_secs(3_600));
        let mut degraded = roles.degraded.subscribe();
        roles.start(ProcessRole::Relay, stop.clone(), |_| async { Err::<(), _>("the broker is unavailable") });
        roles.start(ProcessRole::Clock, stop.clone(), |_| {
            std::future::poll_fn(|_| -> std::task::Poll<Result<(), String>> { panic!("a bug") })
        });
        roles.start(ProcessRole::Sender, stop.clone(), |_| async { Ok::<(), String>(()) });
        let mut found = degraded.wait_for(|degraded| degraded.len() == 3).await.expect("roles run").clone();
        found.sort_unstable();
        let expected = [
            ("clock", "panicked".to_owned()),
            ("relay", "the broker is unavailable".to_owned()),
            ("sender", "returned before it was stopped".to_owned()),
        ];
        assert_eq!(found, expected);
        stop.cancel();
        roles.drain(DRAIN).await;
        assert_eq!(degraded.borrow().len(), 3, "a stop ends the backoff and restarts nothing");
    }

    #[tokio::test]
    async fn a_role_that_fails_or_panics_is_restarted() {
        let (mut roles, stop) = roles(Duration::ZERO);
        let (attempts, mut attempt) = watch::channel(0);
        let degraded = roles.degraded.subscribe();
        roles.start(ProcessRole::Relay, stop.clone(), move |stop| {
            attempts.send_modify(|attempts| *attempts += 1);
            let attempt = *attempts.borrow();
            async move {
                match attempt {
                    1 => return Err("the broker is unavailable"),
                    2 => panic!("a bug"),
                    _ => stop.cancelled().await,
                }
                Ok(())
            }
        });
        attempt.wait_for(|attempts| *attempts == 3).await.expect("the role runs");
        assert!(degraded.borrow().is_empty(), "{:?}", *degraded.borrow());
        stop.cancel();
        roles.drain(DRAIN).await;
        assert_eq!(*attempt.borrow(), 3, "a stopped role is not restarted");
    }

    #[tokio::test]
    async fn a_role_that_does_not_end_is_aborted_after_the_timeout() {
        let (mut roles, stop) = roles(Duration::ZERO);
        roles.start(ProcessRole::Engine, stop.clone(), |_| std::future::pending::<Result<(), String>>());
        stop.cancel();
        roles.drain(Duration::from_millis(10)).await;
    }
}

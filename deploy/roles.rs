//! The roles of one process: each started, watched, started again when it fails, drained at the end.

use std::{
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// A part of LUCI that runs on its own. Any number of each may run; of projections, relay and clock one is active by
/// lease and the others stand by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Role {
    /// Answers HTTP.
    Gateway,
    /// Works on blocks.
    Engine,
    /// Folds the log into the read tables.
    Projections,
    /// Publishes the log on NATS.
    Relay,
    /// Issues commands when they are due.
    Clock,
    /// Sends what is queued for leads.
    Sender,
}

impl Role {
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
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The roles of this process that do not work now, each with the reason; readiness reads it.
#[derive(Debug, Clone)]
pub struct RoleBoard(watch::Sender<Vec<(&'static str, String)>>);

impl Default for RoleBoard {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl RoleBoard {
    fn set(&self, role: Role, trouble: Option<String>) {
        metrics::gauge!("luci_role_up", "role" => role.as_str()).set(if trouble.is_none() { 1.0 } else { 0.0 });
        self.0.send_modify(|troubles| {
            troubles.retain(|(troubled, _)| *troubled != role.as_str());
            troubles.extend(trouble.map(|trouble| (role.as_str(), trouble)));
        });
    }

    /// Told at each change.
    pub fn subscribe(&self) -> watch::Receiver<Vec<(&'static str, String)>> {
        self.0.subscribe()
    }

    /// The roles that do not work now.
    pub fn troubles(&self) -> Vec<(&'static str, String)> {
        self.0.borrow().clone()
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A role that worked for this long is taken to be well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// The roles that were started.
#[derive(Debug, Default)]
pub struct Roles {
    pub board: RoleBoard,
    running: JoinSet<()>,
}

impl Roles {
    /// Runs `role` until `stop`; when it returns earlier, it is begun again after a pause that doubles each time.
    pub fn start<F, E, R>(&mut self, role: Role, stop: CancellationToken, begin: F)
    where
        F: Fn(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send,
        E: fmt::Display + Send,
    {
        let board = self.board.clone();
        board.set(role, None);
        self.running.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let began = Instant::now();
                let ended = AssertUnwindSafe(begin(stop.clone())).catch_unwind().await;
                if stop.is_cancelled() {
                    return;
                }
                let trouble = match ended {
                    Ok(Ok(())) => "ended by itself".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_panic) => "panicked".to_owned(),
                };
                if began.elapsed() > WELL_AFTER {
                    pause = FIRST_PAUSE;
                }
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(role = role.as_str(), error = trouble, pause_ms, "a role failed and is begun again");
                metrics::counter!("luci_role_failures_total", "role" => role.as_str()).increment(1);
                board.set(role, Some(trouble));
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                board.set(role, None);
            }
        });
    }

    /// Waits until every role has ended; the caller cancels `stop` first. Those that take longer are cut.
    pub async fn drain(mut self, at_most: Duration) {
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(at_most, all).await.is_err() {
            tracing::warn!(drain_s = at_most.as_secs(), "roles were cut at the end of the drain");
            self.running.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    #[tokio::test]
    async fn a_role_that_fails_or_panics_is_reported_and_begun_again() {
        let (mut roles, stop) = (Roles::default(), CancellationToken::new());
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        roles.start(Role::Relay, stop.clone(), move |stop| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => return Err("the broker is away"),
                    1 => panic!("a bug"),
                    _ => stop.cancelled().await,
                }
                Ok(())
            }
        });
        tokio::time::sleep(FIRST_PAUSE / 2).await;
        assert_eq!(roles.board.troubles(), [("relay", "the broker is away".to_owned())]);
        while tries.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(FIRST_PAUSE / 10).await;
        }
        assert!(roles.board.troubles().is_empty());
        stop.cancel();
        roles.drain(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn a_role_that_does_not_end_is_cut() {
        let (mut roles, stop) = (Roles::default(), CancellationToken::new());
        roles.start(Role::Engine, stop.clone(), |_| std::future::pending::<Result<(), String>>());
        stop.cancel();
        roles.drain(Duration::from_millis(50)).await;
    }
}

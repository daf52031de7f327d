//! The relay publishes the log's events on JetStream, in order and exactly once; a message's sequence is its event's
//! position.
//!
//! It is the only publisher on `evt.>`; one process publishes at a time, by lease. At the start and after every error the
//! stream is compared with the log: its ends, its number of messages and some hashes before publishing continues, all
//! hashes in the background. A lost or damaged stream is published again from the log. A stream that holds events that the
//! log does not have is never overwritten: the relay stops with an error.

mod epoch;
mod health;
mod lost_events;
mod message_reader;
mod prune;
mod publish;
mod range_check;
mod reconcile;
mod repair;

use std::time::Duration;

use async_nats::Client;
use luci_schema::{
    Position,
    log::{HaltedBy, Log, LogError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, BrokerError, EvtOptions},
    lease_guard::{LeaseGuard, LeaseOptions},
    relay::publish::Session,
    retry_pause::RetryPause,
};

pub use crate::relay::{
    health::{RelayHealth, RelayState},
    lost_events::{LostEvent, lost_events},
    repair::remove_stream,
};

#[derive(Debug, Clone)]
pub struct RelayOptions {
    pub lease: LeaseOptions,
    pub evt: EvtOptions,
    /// Unacknowledged messages at once.
    pub window: usize,
    /// Between two looks for old messages of a limited EVT.
    pub prune_every: Duration,
    /// Updated by the relay, read by readiness checks.
    pub health: RelayHealth,
}

impl RelayOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self {
            lease: LeaseOptions::owned_by(owner),
            evt: EvtOptions::default(),
            window: 256,
            prune_every: Duration::from_secs(60),
            health: RelayHealth::default(),
        }
    }
}

/// Errors that stop the relay until an operator acts.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(
        "JetStream stream EVT ends at {stream}, the log at {log}: Postgres was restored to an earlier state. Nothing \
         was overwritten. Restore the newer database, or see `luci restore plan`"
    )]
    Ahead { stream: Position, log: Position },
    #[error(
        "message {position} of JetStream stream EVT is not the log's event {position}: stream and database do not \
         belong together. Nothing was overwritten. Connect the right ones, or see `luci relay repair`"
    )]
    Diverged { position: Position },
    #[error(
        "JetStream stream EVT has epoch {stream}, the log epoch {log}, and never had that of the stream: Postgres was \
         restored to a state before `luci restore accept`, or stream and database do not belong together. Connect the \
         right ones, or see `luci restore plan`"
    )]
    OtherEpoch { stream: String, log: String },
    #[error("the log cannot be followed: {0}")]
    Log(LogError),
    #[error(transparent)]
    Broker(BrokerError),
}

/// What is wrong with EVT where the log proves what is right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Damage {
    #[error("message {position} was not published by LUCI")]
    Foreign { position: Position },
    #[error("{missing} messages are missing")]
    Holes { missing: u64 },
    #[error("it was published before the log was restored, in epoch {epoch}")]
    FormerEpoch { epoch: String },
    #[error("the messages before {first} are missing")]
    Truncated { first: Position },
}

/// Why a session ended.
enum SessionEnd {
    /// Stopped, or the lease was lost.
    Stopped,
    /// Publish the log again into a new stream.
    Damaged(Damage),
    /// Reconcile and publish again after a pause.
    Retry(String),
    Fatal(RelayError),
}

impl From<LogError> for SessionEnd {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Database(_) | LogError::Fenced { .. } if !error.is_damage() => Self::Retry(error.to_string()),
            other => Self::Fatal(RelayError::Log(other)),
        }
    }
}

impl From<BrokerError> for SessionEnd {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::TooOld { .. } | BrokerError::Foreign { .. } => Self::Fatal(RelayError::Broker(error)),
            other => Self::Retry(other.to_string()),
        }
    }
}

/// Publishes until `stop`, while it holds lease `relay`. `client` should not be shared: a busy publisher starves readers on
/// the same connection.
///
/// # Errors
/// Only when an operator must act.
pub async fn run(options: RelayOptions, log: Log, client: Client, stop: CancellationToken) -> Result<(), RelayError> {
    while !stop.is_cancelled() {
        options.health.set(RelayState::Standby);
        let Some(lease) = LeaseGuard::acquire(log.pool(), "relay", &options.lease, &stop).await else { break };
        let ended = publish_while_held(&options, &log, &client, &lease, &stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        lease.release(why.as_deref()).await;
        if let Err(error) = ended {
            halt(&log, &error).await;
            tracing::error!(%error, "relay stopped");
            options.health.set(RelayState::Stopped(error.to_string()));
            return Err(error);
        }
    }
    Ok(())
}

/// What is appended to a log that is not the one of the stream can never be published. Until an operator has decided, nothing
/// is appended.
async fn halt(log: &Log, error: &RelayError) {
    if !matches!(error, RelayError::Ahead { .. } | RelayError::Diverged { .. } | RelayError::OtherEpoch { .. }) {
        return;
    }
    if let Err(failure) = log.halt(HaltedBy::Relay, &error.to_string()).await {
        tracing::error!(error = %failure, "appends not halted");
    }
}

/// Runs sessions one after another while the lease is held.
async fn publish_while_held(
    options: &RelayOptions,
    log: &Log,
    client: &Client,
    lease: &LeaseGuard,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let context = broker::jetstream(client);
    let mut session = Session::new(options, log, client, &context, lease);
    let mut pause = RetryPause::default();
    loop {
        let published = session.published();
        let why = match session.run(stop).await {
            SessionEnd::Stopped => return Ok(()),
            SessionEnd::Fatal(error) => return Err(error),
            SessionEnd::Damaged(damage) => match repair::remove_damaged(&context, &damage).await {
                Ok(()) => {
                    session.restart();
                    damage.to_string()
                }
                Err(why) => why,
            },
            SessionEnd::Retry(why) => why,
        };
        if session.published() > published {
            pause = RetryPause::default();
        }
        tracing::warn!(error = why, position = session.published().0, "relay session failed, retrying");
        metrics::counter!("luci_relay_restarts_total").increment(1);
        options.health.set(RelayState::Waiting(why));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = lease.lost().cancelled() => return Ok(()),
            () = broker::pause(client, pause.next()) => {}
        }
    }
}

//! The relay: the log's events on JetStream, in order, exactly once, a message's sequence being its event's position.
//!
//! It is the only publisher on `evt.>`. One relay works, by lease; any number stand by. The broker is never trusted: at
//! the start and after every trouble the stream's end is compared with the log. A stream that was lost is made again
//! from the log; a stream that holds what the log does not is never overwritten: the relay stops and says why.

mod health;
mod publish;
mod ready;
mod reconcile;

use std::time::Duration;

use async_nats::{Client, connection::State};
use luci_schema::{
    Micros, Position,
    log::{Log, LogError},
};
use tokio_util::sync::CancellationToken;

pub use health::{RelayHealth, RelayState};
use publish::Session;

use crate::{
    broker::{self, BrokerError, EvtOptions},
    tenure::{Tenure, TenureOptions},
};

/// How the relay works.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    pub tenure: TenureOptions,
    pub evt: EvtOptions,
    /// Publishes under way at once.
    pub window: usize,
    /// Told what the relay does; readiness reads it.
    pub health: RelayHealth,
}

impl RelayOptions {
    pub fn owned_by(owner: impl Into<String>) -> Self {
        Self {
            tenure: TenureOptions::owned_by(owner),
            evt: EvtOptions::default(),
            window: 256,
            health: RelayHealth::default(),
        }
    }
}

/// What stops the relay for good: an operator must look.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(
        "JetStream stream EVT ends at {stream}, the log at {log}: Postgres was restored to the past. Nothing was \
         overwritten. Restore the newer database, or remove stream EVT (`nats stream rm EVT`) to publish the log anew"
    )]
    Ahead { stream: Position, log: Position },
    #[error(
        "message {position} of JetStream stream EVT is not the log's event {position}: stream and database do not \
         belong together. Nothing was overwritten. Connect the right ones, or remove stream EVT to publish the log anew"
    )]
    Diverged { position: Position },
    #[error("the log cannot be followed: {0}")]
    Log(LogError),
    #[error(transparent)]
    Broker(BrokerError),
}

/// Why a session ended.
enum Trouble {
    /// Told to stop, or the lease went to another.
    Over,
    /// Look again after a pause.
    Again(String),
    Fatal(RelayError),
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Database(_) | LogError::Fenced { .. } => Self::Again(error.to_string()),
            other => Self::Fatal(RelayError::Log(other)),
        }
    }
}

impl From<BrokerError> for Trouble {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::TooOld { .. } | BrokerError::Foreign { .. } => Self::Fatal(RelayError::Broker(error)),
            other => Self::Again(other.to_string()),
        }
    }
}

/// Publishes until told to stop. Takes its turn by lease `relay`; wants a connection of its own, since a hot publisher
/// starves readers on the same socket. Ends with an error only when an operator must act.
pub async fn run(options: RelayOptions, log: Log, client: Client, stop: CancellationToken) -> Result<(), RelayError> {
    while !stop.is_cancelled() {
        options.health.set(RelayState::Standby);
        let Some(tenure) = Tenure::begin(log.pool(), "relay", &options.tenure, &stop).await else { break };
        let ended = hold(&options, &log, &client, &tenure, &stop).await;
        let why = ended.as_ref().err().map(ToString::to_string);
        tenure.end(why.as_deref()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the relay stopped");
            options.health.set(RelayState::Stopped(error.to_string()));
            return Err(error);
        }
    }
    Ok(())
}

/// Sessions one after another for as long as the lease is held.
async fn hold(
    options: &RelayOptions,
    log: &Log,
    client: &Client,
    tenure: &Tenure,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let context = broker::jetstream(client);
    let mut session = Session::new(options, log, client, &context, tenure);
    let mut pause = Pause::default();
    loop {
        let published = session.published();
        let why = match session.run(stop).await {
            Trouble::Over => return Ok(()),
            Trouble::Fatal(error) => return Err(error),
            Trouble::Again(why) => why,
        };
        if session.published() != published {
            pause = Pause::default();
        }
        tracing::warn!(why, "the relay begins again");
        metrics::counter!("luci_relay_restarts_total").increment(1);
        options.health.set(RelayState::Waiting(why));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tenure.lost().cancelled() => return Ok(()),
            () = pause.over(client) => {}
        }
    }
}

/// 0.1 s, doubling up to 5 s, each between half and the whole of it so that several do not knock together.
#[derive(Default)]
pub(crate) struct Pause {
    tries: u32,
}

impl Pause {
    /// Waits; while the broker is away only until it is back.
    pub(crate) async fn over(&mut self, client: &Client) {
        let away = client.connection_state() != State::Connected;
        tokio::select! {
            () = tokio::time::sleep(self.next()) => {}
            () = broker::connected(client), if away => {}
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let whole = (100_u64 << self.tries.min(6)).min(5_000);
        self.tries += 1;
        let jitter = Micros::now().0.unsigned_abs() % (whole / 2);
        Duration::from_millis(whole / 2 + jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_five_seconds() {
        let mut pause = Pause::default();
        assert!(pause.next() <= Duration::from_millis(100));
        let last = (0..20).map(|_| pause.next()).last().unwrap();
        assert!(last >= Duration::from_millis(2_500) && last <= Duration::from_secs(5));
    }
}

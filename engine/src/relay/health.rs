//! What the relay is doing, for readiness.

use tokio::sync::watch;

/// One word of the relay's condition, with the reason where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Another process publishes, or will as soon as the lease is free.
    Standby,
    Following,
    /// The broker or the database is away; commands go on, publishing catches up.
    Waiting(String),
    /// Stopped for good: unhealthy until an operator acts.
    Stopped(String),
}

/// A shared view of one relay's state.
#[derive(Debug, Clone)]
pub struct RelayHealth(watch::Sender<RelayState>);

impl Default for RelayHealth {
    fn default() -> Self {
        Self(watch::Sender::new(RelayState::Standby))
    }
}

impl RelayHealth {
    pub fn state(&self) -> RelayState {
        self.0.borrow().clone()
    }

    /// The reason for which this process is not ready, if it is not.
    pub fn unhealthy(&self) -> Option<String> {
        match self.state() {
            RelayState::Stopped(why) => Some(why),
            RelayState::Standby | RelayState::Following | RelayState::Waiting(_) => None,
        }
    }

    pub fn subscribe(&self) -> watch::Receiver<RelayState> {
        self.0.subscribe()
    }

    pub(super) fn set(&self, state: RelayState) {
        self.0.send_replace(state);
    }
}

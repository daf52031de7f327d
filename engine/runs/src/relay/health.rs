//! The relay's state, for readiness checks.

use tokio::sync::watch;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Waits for the lease; another process may be publishing.
    Standby,
    Following,
    /// The broker or the database is unavailable (with the error); publishing catches up later.
    Waiting(String),
    /// Stopped until an operator acts (with the error).
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

    /// Why this process is not ready; `None` when it is.
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

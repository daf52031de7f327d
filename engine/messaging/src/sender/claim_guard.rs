//! Prevents a send whose process was suspended between its claim and the provider call.
//!
//! A row counts as abandoned some time after its claim: another process then asks the provider whether it was sent and may
//! hold it as `unknown_outcome`. A process that was suspended (SIGSTOP, a paused virtual machine) in between must not
//! call the provider afterwards, or the message could be sent twice.

use std::time::Duration;

use tokio::time::Instant;

/// Measures the time since before the claim, so never less than the database measures from `claimed_at`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimGuard {
    started: Instant,
    limit: Duration,
}

impl ClaimGuard {
    /// `claim_timeout` is the age at which a claim counts as abandoned. The limit is a third of it, so that the call itself,
    /// which takes at most another third, ends before that age.
    pub(super) fn start(claim_timeout: Duration) -> Self {
        Self { started: Instant::now(), limit: claim_timeout / 3 }
    }

    /// Whether too much time has passed to call the provider. Check it directly before the call.
    pub(super) fn has_expired(&self) -> bool {
        self.started.elapsed() > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_claim_that_takes_longer_than_a_third_of_the_timeout_must_not_send() {
        let guard = ClaimGuard::start(Duration::from_millis(30));
        let slow_claim = tokio::time::sleep(Duration::from_millis(40));
        slow_claim.await;
        assert!(guard.has_expired());
        assert!(!ClaimGuard::start(Duration::from_secs(3_600)).has_expired());
    }
}

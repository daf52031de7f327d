//! Exponential backoff with jitter, for every loop that retries.

use std::time::Duration;

use luci_schema::EventId;

/// Doubling pauses up to a maximum, each between half and all of its nominal length so that several processes do not retry
/// in step.
#[derive(Debug)]
pub(crate) struct RetryPause {
    first: Duration,
    max: Duration,
    retries: u32,
}

impl Default for RetryPause {
    /// 0.1 s to 5 s: for a broker or a database that is unavailable.
    fn default() -> Self {
        Self::between(Duration::from_millis(100), Duration::from_secs(5))
    }
}

impl RetryPause {
    pub(crate) fn between(first: Duration, max: Duration) -> Self {
        Self { first, max, retries: 0 }
    }

    /// Whether fewer than five retries were made: by default, some three seconds at most.
    pub(crate) fn is_short(&self) -> bool {
        self.retries < 5
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let nominal = self.first.saturating_mul(1 << self.retries.min(20)).min(self.max);
        self.retries += 1;
        nominal.mul_f64(0.5 + 0.5 * jitter())
    }
}

/// 0 to 1; the low bits of a new id are random.
fn jitter() -> f64 {
    f64::from((EventId::generate().ulid().0 & 0xffff) as u32) / f64::from(0xffff_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let mut pause = RetryPause::default();
        for nominal_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let (next, nominal) = (pause.next(), Duration::from_millis(nominal_ms));
            assert!(next >= nominal / 2 && next <= nominal, "{next:?} of {nominal:?}");
        }
    }
}

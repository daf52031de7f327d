//! What can go wrong with a call, on order or at a rate.

use std::{collections::VecDeque, time::Duration};

use super::people::hash;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `retry-after`.
    RateLimited,
    /// 503.
    Unavailable,
    /// 200 with half of a JSON text.
    Garbage,
    /// No answer for a long time; then the connection is closed.
    Timeout,
    /// 400, as for a request that the provider cannot read.
    Refused,
    /// 403, as when the credits are used up.
    NoCredits,
    /// The work is done and billed, but the answer is 502: what a lost answer costs.
    Lost,
}

/// Rates in calls per thousand, the same calls for the same `seed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    pub seed: u64,
    pub rate_limited: u16,
    pub unavailable: u16,
    pub garbage: u16,
    pub timeout: u16,
    /// Seconds that a 429 asks for.
    pub retry_after: u64,
    /// How long a call without an answer is held.
    pub hold: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        let hold = Duration::from_secs(60);
        Self { seed: 1, rate_limited: 0, unavailable: 0, garbage: 0, timeout: 0, retry_after: 1, hold }
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub rates: Faults,
    pub next: VecDeque<Fault>,
    calls: u64,
}

impl Plan {
    pub fn new(rates: Faults) -> Self {
        Self { rates, next: VecDeque::new(), calls: 0 }
    }

    /// The fault that this call meets, if any.
    pub fn take(&mut self) -> Option<Fault> {
        self.calls += 1;
        if let Some(fault) = self.next.pop_front() {
            return Some(fault);
        }
        let mut rest = hash(&format!("{}/{}", self.rates.seed, self.calls)) % 1000;
        for (rate, fault) in [
            (self.rates.rate_limited, Fault::RateLimited),
            (self.rates.unavailable, Fault::Unavailable),
            (self.rates.garbage, Fault::Garbage),
            (self.rates.timeout, Fault::Timeout),
        ] {
            match rest.checked_sub(u64::from(rate)) {
                None => return Some(fault),
                Some(less) => rest = less,
            }
        }
        None
    }
}

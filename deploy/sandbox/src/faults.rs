//! What can go wrong with a call: a given number of times or at a rate, for one provider or for all.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::people::hash;

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
    /// 401.
    BadKey,
    /// 403, as when the credits are used up.
    NoCredits,
    /// 200 with the first two thirds of the list.
    Partial,
    /// 200 with a list without its last n items.
    Without(usize),
    /// The call is executed and billed, but the answer is 502.
    Lost,
}

impl Fault {
    /// Whether the provider executes, and bills, a call that meets this fault.
    pub(crate) const fn is_executed(self) -> bool {
        matches!(self, Self::Lost | Self::Partial | Self::Without(_))
    }

    /// How many of `items` items the answer has.
    pub(crate) const fn kept(self, items: usize) -> usize {
        match self {
            Self::Partial => items * 2 / 3,
            Self::Without(missing) => items.saturating_sub(missing),
            _ => items,
        }
    }
}

/// Rates in calls per thousand. The same `seed` makes the same calls fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    pub seed: u64,
    pub rate_limited: u16,
    pub unavailable: u16,
    pub garbage: u16,
    pub timeout: u16,
    pub partial: u16,
    /// Before each answer.
    pub delay: Duration,
    /// The `retry-after` of a 429, in seconds.
    pub retry_after: u64,
    /// How long a call that times out is held open.
    pub hold: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 1,
            rate_limited: 0,
            unavailable: 0,
            garbage: 0,
            timeout: 0,
            partial: 0,
            delay: Duration::ZERO,
            retry_after: 1,
            hold: Duration::from_secs(60),
        }
    }
}

impl Faults {
    fn rates(&self) -> [(u16, Fault); 5] {
        [
            (self.rate_limited, Fault::RateLimited),
            (self.unavailable, Fault::Unavailable),
            (self.garbage, Fault::Garbage),
            (self.timeout, Fault::Timeout),
            (self.partial, Fault::Partial),
        ]
    }

    /// The fault of the `nth` call.
    fn of_call(&self, provider: &str, nth: u64) -> Option<Fault> {
        let mut rest = hash(&format!("{}/{provider}/{nth}", self.seed)) % 1000;
        for (rate, fault) in self.rates() {
            match rest.checked_sub(u64::from(rate)) {
                None => return Some(fault),
                Some(less) => rest = less,
            }
        }
        None
    }
}

/// The faults of one provider, or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSpec {
    /// `None`: every provider without a spec of its own.
    pub provider: Option<&'static str>,
    pub faults: Faults,
}

#[derive(Debug)]
pub(crate) struct Plan {
    /// Of every provider that is not in `of`.
    pub all: Faults,
    pub of: BTreeMap<&'static str, Faults>,
    /// Faults of the next calls, whichever provider they go to.
    pub next: VecDeque<Fault>,
    calls: BTreeMap<&'static str, u64>,
}

impl Plan {
    pub fn new(all: &Faults, specs: &[FaultSpec]) -> Self {
        let mut plan = Self { all: all.clone(), of: BTreeMap::new(), next: VecDeque::new(), calls: BTreeMap::new() };
        for spec in specs {
            match spec.provider {
                Some(provider) => drop(plan.of.insert(provider, spec.faults.clone())),
                None => plan.all = spec.faults.clone(),
            }
        }
        plan
    }

    /// Whether every call to the provider is answered with 503: then all that it has is down.
    pub fn is_down(&self, provider: &str) -> bool {
        self.of.get(provider).unwrap_or(&self.all).unavailable == 1_000
    }

    /// The fault that this call meets, if any, and the provider's faults.
    pub fn take(&mut self, provider: &'static str) -> (Option<Fault>, Faults) {
        let faults = self.of.get(provider).unwrap_or(&self.all).clone();
        let nth = self.calls.entry(provider).or_default();
        *nth += 1;
        let fault = self.next.pop_front().or_else(|| faults.of_call(provider, *nth));
        (fault, faults)
    }
}

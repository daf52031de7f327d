//! A circuit breaker per account and process: after failures in a row it opens for a while, then lets one trial call through.

use std::sync::{Mutex, PoisonError};

use luci_schema::Micros;

use crate::config::BreakerPolicy;

/// The result of one call, as far as the breaker counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// Also a refusal.
    Answered,
    /// 5xx, a timeout, an unreadable body or a broken connection.
    NoAnswer,
}

/// A change that operators see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    OpenUntil(Micros),
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Micros,
        times: u32,
    },
    /// A trial call runs; until then there is no second one.
    HalfOpen {
        until: Micros,
        times: u32,
    },
}

/// Between two probes of an account, in milliseconds.
const PROBE_EVERY_MS: i64 = 2_000;

#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: Mutex<State>,
    /// When the provider may be probed again.
    probe: Mutex<Micros>,
}

impl Breaker {
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy, state: Mutex::new(State::Closed { failures: 0 }), probe: Mutex::default() }
    }

    /// Whether a call may be made now; the error is the time of the next one.
    pub fn check(&self, now: Micros) -> Result<(), Micros> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } | State::HalfOpen { until, .. } if now < until => Err(until),
            // A trial that never reported (its block was dropped) must not keep the breaker open.
            State::Open { times, .. } | State::HalfOpen { times, .. } => {
                *state = State::HalfOpen { until: self.pause(now, times), times };
                Ok(())
            }
        }
    }

    /// Whether a caller that was refused may ask the provider now whether it answers; true for one of them in two seconds, and
    /// not while a trial call runs.
    pub fn may_probe(&self, now: Micros) -> bool {
        let open = matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Open { .. });
        let mut next = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        let may = open && *next <= now;
        if may {
            *next = now.plus_millis(PROBE_EVERY_MS);
        }
        may
    }

    /// The provider answers: the next call is the trial, whatever is left of the pause.
    pub fn answered_probe(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open { times, .. } = *state {
            *state = State::Open { until: Micros(0), times };
        }
    }

    /// Counts a call.
    pub fn record(&self, result: CallResult, now: Micros) -> Option<StateChange> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (*state, result) {
            (State::Closed { failures: 0 }, CallResult::Answered) => None,
            (State::Closed { .. }, CallResult::Answered) => {
                *state = State::Closed { failures: 0 };
                None
            }
            (State::Open { .. } | State::HalfOpen { .. }, CallResult::Answered) => {
                *state = State::Closed { failures: 0 };
                Some(StateChange::Closed)
            }
            (State::Closed { failures }, CallResult::NoAnswer) if failures + 1 < self.policy.failures => {
                *state = State::Closed { failures: failures + 1 };
                None
            }
            (State::Closed { .. }, CallResult::NoAnswer) => Some(self.open(&mut state, now, 0)),
            (State::HalfOpen { times, .. }, CallResult::NoAnswer) => Some(self.open(&mut state, now, times + 1)),
            // A call that began before the breaker opened.
            (State::Open { .. }, CallResult::NoAnswer) => None,
        }
    }

    fn open(&self, state: &mut State, now: Micros, times: u32) -> StateChange {
        let until = self.pause(now, times);
        *state = State::Open { until, times };
        StateChange::OpenUntil(until)
    }

    fn pause(&self, now: Micros, times: u32) -> Micros {
        let pause = self.policy.pause.saturating_mul(1 << times.min(16)).min(self.policy.longest);
        Micros(now.0.saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn breaker() -> Breaker {
        let (pause, longest) = (Duration::from_secs(10), Duration::from_secs(30));
        Breaker::new(BreakerPolicy { failures: 3, pause, longest })
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breaker = breaker();
        for _ in 0..5 {
            assert_eq!(breaker.record(CallResult::NoAnswer, Micros(0)), None);
            assert_eq!(breaker.record(CallResult::NoAnswer, Micros(0)), None);
            assert_eq!(breaker.record(CallResult::Answered, Micros(0)), None);
        }
        assert_eq!(breaker.check(Micros(0)), Ok(()));
        breaker.record(CallResult::NoAnswer, Micros(0));
        breaker.record(CallResult::NoAnswer, Micros(0));
        assert_eq!(breaker.record(CallResult::NoAnswer, Micros(0)), Some(StateChange::OpenUntil(Micros(10 * SECOND))));
        assert_eq!(breaker.check(Micros(9 * SECOND)), Err(Micros(10 * SECOND)));
    }

    #[test]
    fn an_answered_probe_lets_one_call_try_before_the_pause_is_over() {
        let breaker = breaker();
        assert!(!breaker.may_probe(Micros(0)), "closed");
        for _ in 0..3 {
            breaker.record(CallResult::NoAnswer, Micros(0));
        }
        assert!(breaker.may_probe(Micros(SECOND)));
        assert!(!breaker.may_probe(Micros(2 * SECOND)), "seldom");
        assert!(breaker.may_probe(Micros(3 * SECOND)));
        breaker.answered_probe();
        assert_eq!(breaker.check(Micros(3 * SECOND)), Ok(()));
        assert!(breaker.check(Micros(3 * SECOND)).is_err(), "one trial");
        assert!(!breaker.may_probe(Micros(9 * SECOND)), "a trial runs");
        let until = Micros(23 * SECOND);
        assert_eq!(breaker.record(CallResult::NoAnswer, Micros(3 * SECOND)), Some(StateChange::OpenUntil(until)));
        assert_eq!(breaker.check(Micros(4 * SECOND)), Err(until), "it had not recovered");
    }

    #[test]
    fn one_call_tries_and_the_pause_grows_to_its_limit() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.record(CallResult::NoAnswer, Micros(0));
        }
        let mut now = Micros(0);
        for pause in [20, 30, 30] {
            now = breaker.check(now).expect_err("open");
            assert_eq!(breaker.check(now), Ok(()), "one trial");
            assert!(breaker.check(now).is_err(), "no second one");
            let until = Micros(now.0 + pause * SECOND);
            assert_eq!(breaker.record(CallResult::NoAnswer, now), Some(StateChange::OpenUntil(until)));
        }
        now = breaker.check(now).expect_err("open");
        assert_eq!(breaker.check(now), Ok(()));
        assert_eq!(breaker.record(CallResult::Answered, now), Some(StateChange::Closed));
        assert_eq!((breaker.check(now), breaker.check(now)), (Ok(()), Ok(())));
    }
}

//! A circuit breaker: a provider that does not answer is left alone for a while, then tried with one call. Per process.

use std::sync::{Mutex, PoisonError};

use luci_schema::Micros;

use super::BreakerPolicy;

/// What came of one call, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It answered, be it a refusal.
    Answer,
    /// 5xx, silence, nonsense or a broken connection.
    Nothing,
}

/// What a call changed, for those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    BrokenUntil(Micros),
    Well,
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
    /// One call is under way to see, until then.
    Trying {
        until: Micros,
        times: u32,
    },
}

#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: Mutex<State>,
}

impl Breaker {
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { policy, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call may be made now; else when the next one may be.
    pub fn enter(&self, now: Micros) -> Result<(), Micros> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } | State::Trying { until, .. } if now < until => Err(until),
            // A trial whose end was never told (its block was dropped) does not keep the door shut for ever.
            State::Open { times, .. } | State::Trying { times, .. } => {
                *state = State::Trying { until: self.pause(now, times), times };
                Ok(())
            }
        }
    }

    pub fn told(&self, heard: Heard, now: Micros) -> Option<Turn> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (*state, heard) {
            (State::Closed { failures: 0 }, Heard::Answer) => None,
            (State::Closed { .. }, Heard::Answer) => {
                *state = State::Closed { failures: 0 };
                None
            }
            (State::Open { .. } | State::Trying { .. }, Heard::Answer) => {
                *state = State::Closed { failures: 0 };
                Some(Turn::Well)
            }
            (State::Closed { failures }, Heard::Nothing) if failures + 1 < self.policy.failures => {
                *state = State::Closed { failures: failures + 1 };
                None
            }
            (State::Closed { .. }, Heard::Nothing) => Some(self.open(&mut state, now, 0)),
            (State::Trying { times, .. }, Heard::Nothing) => Some(self.open(&mut state, now, times + 1)),
            // A call that was under way when the breaker opened.
            (State::Open { .. }, Heard::Nothing) => None,
        }
    }

    fn open(&self, state: &mut State, now: Micros, times: u32) -> Turn {
        let until = self.pause(now, times);
        *state = State::Open { until, times };
        Turn::BrokenUntil(until)
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
            assert_eq!(breaker.told(Heard::Nothing, Micros(0)), None);
            assert_eq!(breaker.told(Heard::Nothing, Micros(0)), None);
            assert_eq!(breaker.told(Heard::Answer, Micros(0)), None);
        }
        assert_eq!(breaker.enter(Micros(0)), Ok(()));
        breaker.told(Heard::Nothing, Micros(0));
        breaker.told(Heard::Nothing, Micros(0));
        assert_eq!(breaker.told(Heard::Nothing, Micros(0)), Some(Turn::BrokenUntil(Micros(10 * SECOND))));
        assert_eq!(breaker.enter(Micros(9 * SECOND)), Err(Micros(10 * SECOND)));
    }

    #[test]
    fn one_call_tries_and_the_pause_grows_to_its_limit() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.told(Heard::Nothing, Micros(0));
        }
        let mut now = Micros(0);
        for pause in [20, 30, 30] {
            now = breaker.enter(now).expect_err("open");
            assert_eq!(breaker.enter(now), Ok(()), "one tries");
            assert!(breaker.enter(now).is_err(), "the others wait for it");
            let until = Micros(now.0 + pause * SECOND);
            assert_eq!(breaker.told(Heard::Nothing, now), Some(Turn::BrokenUntil(until)));
        }
        now = breaker.enter(now).expect_err("open");
        assert_eq!(breaker.enter(now), Ok(()));
        assert_eq!(breaker.told(Heard::Answer, now), Some(Turn::Well));
        assert_eq!((breaker.enter(now), breaker.enter(now)), (Ok(()), Ok(())));
    }
}

//! One limit of requests for each key, as a token bucket.

use std::{
    hash::Hash,
    num::NonZeroU32,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};

/// Checks between two removals of idle keys. A key is idle when its bucket is full again, so there are at most as many keys as
/// requests arrive meanwhile: memory is bounded by what the process can answer.
const CLEANUP_EVERY: u32 = 4_096;

/// How many requests are answered: `per_second` of them in the long run, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Rate {
    /// # Panics
    /// If one is 0.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Self { per_second, burst },
            _ => panic!("a rate of nothing"),
        }
    }

    /// Seconds in which an empty bucket is full again, rounded up.
    const fn window(self) -> u32 {
        self.burst.get().div_ceil(self.per_second.get())
    }
}

impl FromStr for Rate {
    type Err = ();
    /// `100:500`
    fn from_str(text: &str) -> Result<Self, ()> {
        let (per_second, burst) = text.split_once(':').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { per_second: number(per_second)?, burst: number(burst)? })
    }
}

/// What is left of a limit after a request, as the headers `RateLimit-Policy` and `RateLimit` say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub policy: String,
    pub limit: String,
}

impl Standing {
    fn new(scope: &str, rate: Rate, remaining: u32, reset: u32) -> Self {
        let Rate { burst, .. } = rate;
        Self {
            policy: format!("\"{scope}\";q={burst};w={}", rate.window()),
            limit: format!("\"{scope}\";r={remaining};t={reset}"),
        }
    }
}

/// A request beyond the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    pub standing: Standing,
    pub rate: Rate,
    /// Until the next request is answered.
    pub wait: Duration,
}

pub struct Limiter<K: Hash + Eq + Clone> {
    scope: &'static str,
    rate: Rate,
    requests: RateLimiter<K, HashMapStateStore<K>, MonotonicClock, StateInformationMiddleware>,
    clock: MonotonicClock,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `scope` names the limit in headers.
    pub fn new(scope: &'static str, rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let requests = RateLimiter::new(quota, Default::default(), MonotonicClock);
        Self { scope, rate, requests, clock: MonotonicClock, checks: AtomicU32::new(0) }
    }

    /// Counts a request.
    pub fn check(&self, key: &K) -> Result<Standing, Box<Exceeded>> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CLEANUP_EVERY == CLEANUP_EVERY - 1 {
            self.requests.retain_recent();
            self.requests.shrink_to_fit();
        }
        let standing = |remaining, reset| Standing::new(self.scope, self.rate, remaining, reset);
        match self.requests.check_key(key) {
            Ok(left) => {
                let remaining = left.remaining_burst_capacity();
                let taken = self.rate.burst.get().saturating_sub(remaining);
                Ok(standing(remaining, taken.div_ceil(self.rate.per_second.get())))
            }
            Err(exceeded) => {
                let wait = exceeded.wait_time_from(self.clock.now());
                Err(Box::new(Exceeded { standing: standing(0, self.rate.window()), rate: self.rate, wait }))
            }
        }
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        self.requests.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_two_numbers() {
        assert_eq!("100:500".parse(), Ok(Rate::new(100, 500)));
        for invalid in ["", "100", "0:5", "5:0", "-1:5", "1.5:5", "100:500:1", "a:b"] {
            assert_eq!(invalid.parse::<Rate>(), Err(()), "{invalid}");
        }
    }

    #[test]
    fn each_key_has_its_own_bucket_and_the_headers_say_what_is_left() {
        // One token in a day: no test takes that long.
        let limiter = Limiter::new("key", Rate::new(1, 90_000));
        let left = limiter.check(&1).unwrap();
        assert_eq!((left.policy.as_str(), left.limit.as_str()), ("\"key\";q=90000;w=90000", "\"key\";r=89999;t=1"));
        let limiter = Limiter::new("key", Rate::new(1, 3));
        for key in [1, 2] {
            let mut refused = (0..1_000).find_map(|_| limiter.check(&key).err()).expect("refused at some time");
            assert!(refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(1), "{refused:?}");
            refused.wait = Duration::ZERO;
            let standing = Standing::new("key", Rate::new(1, 3), 0, 3);
            assert_eq!(*refused, Exceeded { standing, rate: Rate::new(1, 3), wait: Duration::ZERO });
        }
    }

    #[test]
    fn idle_keys_are_removed() {
        // A bucket is full again at once.
        let limiter = Limiter::new("address", Rate::new(1_000_000_000, 1));
        for key in 0..10 * CLEANUP_EVERY {
            let _counted = limiter.check(&key);
        }
        assert!(limiter.keys() <= CLEANUP_EVERY as usize, "{}", limiter.keys());
    }
}

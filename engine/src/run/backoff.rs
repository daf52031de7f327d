//! When a failed block is tried again by itself.

use luci_schema::{Failure, Micros};

/// Waits before the automatic retries of one block.
const WAITS_MS: [i64; 3] = [5_000, 30_000, 120_000];

/// Automatic retries of one block at most; after them a person decides.
pub const AUTOMATIC_RETRIES: usize = WAITS_MS.len();

/// Automatic retries at most of a block whose failures say when to come again: a daily limit may take days.
const TOLD_RETRIES: u32 = 500;

/// When the clock retries a block that was retried by itself `tries` times before; `None` when a person must decide.
/// A failure that names a time is waited for as long as it says, and does not use up the block's few tries.
pub(super) fn retry_at(failure: &Failure, tries: u32, now: Micros) -> Option<Micros> {
    let wait = usize::try_from(tries).ok().and_then(|tries| WAITS_MS.get(tries));
    let usual = wait.map(|wait| now.plus_millis(*wait));
    let told = failure.not_before_micros.filter(|_| tries < TOLD_RETRIES);
    let at = match told {
        Some(told) => Some(told.max(now.plus_millis(WAITS_MS[0]))),
        None => usual,
    };
    at.filter(|_| failure.retryable)
}

#[cfg(test)]
mod tests {
    use luci_schema::FailureCode;

    use super::*;

    #[test]
    fn a_few_tries_at_growing_distances() {
        let failure = Failure::new(FailureCode::ApiError, "x");
        let at = |tries| retry_at(&failure, tries, Micros(0)).map(|at| at.0 / 1_000_000);
        assert_eq!([at(0), at(1), at(2), at(3)], [Some(5), Some(30), Some(120), None]);
        assert_eq!(retry_at(&Failure::new(FailureCode::Auth, "x"), 0, Micros(0)), None);
    }

    #[test]
    fn a_time_that_was_named_is_kept_however_often() {
        let mut failure = Failure::new(FailureCode::RateLimit, "x");
        failure.not_before_micros = Some(Micros(3_600_000_000));
        for tries in [0, 3, 400] {
            assert_eq!(retry_at(&failure, tries, Micros(0)), failure.not_before_micros);
        }
        assert_eq!(retry_at(&failure, TOLD_RETRIES, Micros(0)), None);
        failure.not_before_micros = Some(Micros(1));
        assert_eq!(retry_at(&failure, 9, Micros(0)), Some(Micros(5_000_000)), "never at once");
    }
}

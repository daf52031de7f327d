//! Automatic retries of failed blocks: when, and how many.

use luci_schema::{Failure, Micros};

/// Delays before the automatic retries of one block.
const DELAYS_MS: [i64; 3] = [5_000, 30_000, 120_000];

/// Automatic retries of one block, at most; after that a person decides.
pub const AUTOMATIC_RETRIES: usize = DELAYS_MS.len();

/// The same for failures that name the time of the next try: waiting out a daily limit may take days.
const SCHEDULED_RETRIES: u32 = 500;

/// When the clock retries a block that it has retried `retries` times; `None` when a person must decide.
/// A failure that names a time (`not_before_micros`) is retried then, and is not bound by `AUTOMATIC_RETRIES`.
pub(super) fn retry_at(failure: &Failure, retries: u32, now: Micros) -> Option<Micros> {
    let delay = usize::try_from(retries).ok().and_then(|retries| DELAYS_MS.get(retries));
    let at = match failure.not_before_micros.filter(|_| retries < SCHEDULED_RETRIES) {
        Some(not_before) => Some(not_before.max(now.plus_millis(DELAYS_MS[0]))),
        None => delay.map(|delay| now.plus_millis(*delay)),
    };
    at.filter(|_| failure.retryable)
}

#[cfg(test)]
mod tests {
    use luci_schema::FailureCode;

    use super::*;

    #[test]
    fn three_retries_with_growing_delays() {
        let failure = Failure::new(FailureCode::ApiError, "x");
        let at = |retries| retry_at(&failure, retries, Micros(0)).map(|at| at.0 / 1_000_000);
        assert_eq!([at(0), at(1), at(2), at(3)], [Some(5), Some(30), Some(120), None]);
        assert_eq!(retry_at(&Failure::new(FailureCode::Auth, "x"), 0, Micros(0)), None);
    }

    #[test]
    fn a_failure_that_names_a_time_is_retried_then() {
        let mut failure = Failure::new(FailureCode::RateLimit, "x");
        failure.not_before_micros = Some(Micros(3_600_000_000));
        for retries in [0, 3, 400] {
            assert_eq!(retry_at(&failure, retries, Micros(0)), failure.not_before_micros);
        }
        assert_eq!(retry_at(&failure, SCHEDULED_RETRIES, Micros(0)), None);
        failure.not_before_micros = Some(Micros(1));
        assert_eq!(retry_at(&failure, 9, Micros(0)), Some(Micros(5_000_000)), "never immediately");
    }
}

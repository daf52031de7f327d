//! When a failed block is tried again by itself.

use luci_schema::{Failure, Micros};

/// Waits before the automatic retries of one block.
const WAITS_MS: [i64; 3] = [5_000, 30_000, 120_000];

/// Automatic retries of one block at most; after them a person decides.
pub const AUTOMATIC_RETRIES: usize = WAITS_MS.len();

/// When the clock retries a block that was retried by itself `tries` times before; `None` when a person must decide.
pub(super) fn retry_at(failure: &Failure, tries: u32, now: Micros) -> Option<Micros> {
    let wait = WAITS_MS.get(usize::try_from(tries).ok()?)?;
    failure.retryable.then(|| now.plus_millis(*wait))
}

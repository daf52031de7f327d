//! The log as an endless stream of batches, for the relay, the clock and the sealer.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use luci_schema::{
    Position, Recorded,
    log::{Log, LogError},
};

/// Longest wait at the end of the log before the head is checked again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The events after `from`, in batches of 1 to `size`. Ends after an error.
pub(crate) fn batches(
    log: Log,
    from: Position,
    size: usize,
) -> impl Stream<Item = Result<Vec<Arc<Recorded>>, LogError>> {
    stream::try_unfold((log, from), move |(log, at)| async move {
        loop {
            if log.wait_past(at, MAX_WAIT).await <= at {
                continue;
            }
            let batch = log.read(at, size).await?;
            if let Some(last) = batch.last() {
                let next = last.position;
                return Ok(Some((batch, (log, next))));
            }
        }
    })
}

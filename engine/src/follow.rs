//! The log as a stream of batches, waiting at its end: what the relay and the clock follow.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use luci_schema::{
    Position, Recorded,
    log::{Log, LogError},
};

/// Longest wait at the log's end before it is looked at again.
const WAIT: Duration = Duration::from_secs(5);

/// The events behind `from`, at most `size` a batch, never an empty one.
pub(crate) fn batches(
    log: Log,
    from: Position,
    size: usize,
) -> impl Stream<Item = Result<Vec<Arc<Recorded>>, LogError>> {
    stream::try_unfold((log, from), move |(log, at)| async move {
        loop {
            if log.wait_past(at, WAIT).await <= at {
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

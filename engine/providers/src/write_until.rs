//! Writes until it succeeds: what was paid must be stored, however long the database is away.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::result_writer::ResultWriterError;

/// Between two tries to write: doubled each time.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Tries until it is written, an error is permanent, or `stop` is cancelled; returns the last error. `write` gets the number of
/// the try, from 1.
pub(crate) async fn write_until<T, F: Future<Output = Result<T, ResultWriterError>>>(
    stop: &CancellationToken,
    first_pause: Duration,
    write: impl Fn(u32) -> F,
) -> Result<T, ResultWriterError> {
    let (mut pause, mut tries) = (first_pause, 1);
    loop {
        match write(tries).await {
            Err(error) if error.is_permanent() || stop.is_cancelled() => return Err(error),
            Err(_) => {}
            Ok(written) => return Ok(written),
        }
        // A stopped block tries once more, without waiting.
        let _stopped = tokio::time::timeout(pause, stop.cancelled()).await;
        (pause, tries) = ((pause * 2).min(MAX_PAUSE), tries + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    const NO_PAUSE: Duration = Duration::from_micros(1);

    fn database_away() -> ResultWriterError {
        ResultWriterError::Database(Arc::new(sqlx::Error::PoolTimedOut))
    }

    #[tokio::test]
    async fn paid_answers_are_stored_however_long_the_database_is_away() {
        let (stop, tries) = (CancellationToken::new(), AtomicU32::new(0));
        let stored = write_until(&stop, NO_PAUSE, async |n| {
            tries.store(n, Ordering::Relaxed);
            if n < 12 { Err(database_away()) } else { Ok(()) }
        });
        stored.await.expect("stored in the end");
        assert_eq!(tries.load(Ordering::Relaxed), 12);
    }

    #[tokio::test]
    async fn a_stopped_block_tries_once_more_and_returns() {
        let (stop, tries) = (CancellationToken::new(), AtomicU32::new(0));
        let stored = write_until(&stop, Duration::from_secs(3_600), async |n| {
            tries.store(n, Ordering::Relaxed);
            if n == 1 {
                stop.cancel();
                return Err::<(), _>(ResultWriterError::Interrupted);
            }
            Err(database_away())
        });
        stored.await.expect_err("stopped");
        assert!(tries.load(Ordering::Relaxed) <= 2);
    }
}

//! Waiting for a condition, with a deadline: a test that waits for what never comes fails, it does not hang.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for something that must happen.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Between two checks.
const POLL: Duration = Duration::from_millis(25);

/// Checks until the condition holds; panics with its name after `DEADLINE`.
pub async fn eventually(condition: &str, mut holds: impl AsyncFnMut() -> bool) {
    found(condition, async || holds().await.then_some(())).await;
}

/// Checks until there is a value; panics with the name of what is missing after `DEADLINE`.
pub async fn found<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < end, "not within {} s: {what}", DEADLINE.as_secs());
        tokio::time::sleep(POLL).await;
    }
}

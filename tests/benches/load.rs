//! Closed-loop load: each caller starts its next operation when the last has ended.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// The result of a load. Latencies in milliseconds, of one operation.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

/// Runs `callers` copies of the operation for `seconds`; an operation returns how many units it did. The first tenth of the
/// time warms up and does not count.
pub async fn run<F, Fut>(callers: usize, seconds: f64, caller: impl Fn(usize) -> F) -> anyhow::Result<Load>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<u64>> + Send,
{
    let warm = Instant::now() + Duration::from_secs_f64(seconds / 10.0);
    let end = warm + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = (0..callers)
        .map(|number| {
            let mut operation = caller(number);
            tokio::spawn(async move {
                let (mut units, mut times) = (0, Vec::new());
                while Instant::now() < end {
                    let start = Instant::now();
                    let done = operation().await?;
                    if start >= warm {
                        units += done;
                        times.push(start.elapsed());
                    }
                }
                anyhow::Ok((units, times))
            })
        })
        .collect();
    let (mut units, mut times) = (0, Vec::new());
    for task in tasks {
        let (done, took) = task.await??;
        units += done;
        times.extend(took);
    }
    let elapsed = warm.elapsed().as_secs_f64();
    times.sort_unstable();
    Ok(Load { per_second: units as f64 / elapsed, p50: percentile(&times, 50), p99: percentile(&times, 99) })
}

/// In milliseconds; 0 of nothing.
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

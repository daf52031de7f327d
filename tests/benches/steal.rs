//! CPU steal during a measurement, and the choice of rounds without it.

use std::{fs, future::Future};

use crate::report::{Sample, median};

/// Rounds above this percentage of stolen CPU time are left out when cleaner ones exist.
const AT_MOST: f64 = 5.0;
const WANTED: usize = 3;
const TRIES: usize = 5;

/// Ticks since boot: (stolen, all).
fn ticks() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cpu: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    (cpu.get(7).copied().unwrap_or_default(), cpu.iter().take(8).sum())
}

/// The result of `work`, and the percentage of CPU time stolen meanwhile.
pub async fn during<T>(work: impl Future<Output = T>) -> (T, f64) {
    let before = ticks();
    let value = work.await;
    let after = ticks();
    let all = after.1.saturating_sub(before.1).max(1);
    (value, after.0.saturating_sub(before.0) as f64 * 100.0 / all as f64)
}

/// Runs rounds until three were clean, five at most. A round measures `N` figures one after the other (ours and the raw
/// operations that bind it, so that they share the moment's disk); each figure's median over the chosen rounds comes back.
pub async fn rounds<const N: usize, F: Future<Output = anyhow::Result<[f64; N]>>>(
    mut round: impl FnMut() -> F,
) -> anyhow::Result<[Sample; N]> {
    let mut all: Vec<([f64; N], f64)> = Vec::new();
    while all.len() < TRIES && all.iter().filter(|round| round.1 <= AT_MOST).count() < WANTED {
        let (values, steal) = during(round()).await;
        all.push((values?, steal));
    }
    let clean: Vec<_> = all.iter().copied().filter(|round| round.1 <= AT_MOST).collect();
    let (chosen, note) = if clean.is_empty() { (all, "no clean round") } else { (clean, "") };
    let steal = chosen.iter().map(|round| round.1).fold(0.0, f64::max);
    Ok(std::array::from_fn(|figure| {
        let rounds: Vec<f64> = chosen.iter().map(|round| round.0[figure]).collect();
        Sample { value: median(rounds.clone()), rounds, steal, note: note.to_owned() }
    }))
}

/// A figure that takes too long to be measured more than once.
pub async fn once(work: impl Future<Output = anyhow::Result<f64>>) -> anyhow::Result<Sample> {
    let (value, steal) = during(work).await;
    let value = value?;
    Ok(Sample { value, rounds: vec![value], steal, note: String::new() })
}

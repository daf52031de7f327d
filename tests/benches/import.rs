//! A CSV through all seven stages: the real binary, its own servers, sandbox providers that answer at once.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{
    report::{Better, Bound, Report},
    steal,
    up::memory_kib,
    verified_reads,
};

/// The figures of one run of the binary.
struct Ran {
    /// From the run's start to its end, as the engine recorded it.
    seconds: f64,
    /// The peak resident memory of the process, in MB (10^6 bytes).
    peak_mb: f64,
}

/// 100,000 and 1,000,000 leads, 1 % of the rows broken.
pub async fn bench(dir: &Path, report: &mut Report) -> anyhow::Result<()> {
    for (leads, seconds, memory) in [
        (100_000, Bound::None, Bound::Value(Better::Less, 500.0, 200.0)),
        (1_000_000, Bound::Value(Better::Less, 300.0, 120.0), Bound::Value(Better::Less, 500.0, 200.0)),
    ] {
        let data = dir.join(format!("import-{leads}"));
        let mut peak_mb = 0.0;
        let took = steal::once(async {
            let ran = demo(&data, leads).await?;
            peak_mb = ran.peak_mb;
            Ok(ran.seconds)
        })
        .await?;
        report.add(&format!("{leads} leads through 7 stages"), "s", &took, None, seconds);
        if leads == 100_000 {
            verified_reads::bench(&data.join("objects"), &took, report).await?;
        }
        let peak = crate::report::Sample { value: peak_mb, rounds: vec![peak_mb], ..took };
        report.add(&format!("{leads} leads, peak RSS of luci"), "MB", &peak, None, memory);
        std::fs::remove_dir_all(&data)?;
    }
    Ok(())
}

async fn demo(data: &Path, leads: u64) -> anyhow::Result<Ran> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_luci"))
        .args(["demo", "--exit", "--json", "--listen", "127.0.0.1:0", "--leads", &leads.to_string(), "--data-dir"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut peak_kb = 0;
    while child.try_wait()?.is_none() {
        peak_kb = peak_kb.max(memory_kib(child.id(), "VmHWM").unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let out = child.wait_with_output()?;
    ensure!(out.status.success(), "luci demo ended with {}", out.status);
    let summary: Value = serde_json::from_slice(&out.stdout).context("the summary")?;
    ensure!(summary["status"] == "completed", "{summary}");
    let millis = summary["durationMs"].as_f64().context("durationMs")?;
    Ok(Ran { seconds: millis / 1_000.0, peak_mb: peak_kb as f64 * 1_024.0 / 1e6 })
}

//! The run time of a tenant with 100 leads, alone and beside a tenant with 200,000 waiting leads.
//! The real binary, its own servers, sandbox providers that answer at once.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use luci::cli::demo::sample;
use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::{
    report::{Bound, Report},
    steal,
    up::{Access, Up, json, providers_of},
};

const SMALL: u64 = 100;
const LARGE: u64 = 200_000;
/// The small tenant's run times, alone and beside the other.
const RUNS: u64 = 5;

fn import(up: &Up, tenant: &Access, args: &[&str], file: &Path) -> anyhow::Result<Value> {
    let mut import = up.luci(&["import", "--json"]);
    import.args(args).arg(file).env("LUCI_URL", &tenant.url).env("LUCI_API_KEY", &tenant.key);
    json(import)
}

/// The median, in seconds, of runs of a small file each.
async fn small(up: &Up, tenant: &Access, files: &[PathBuf]) -> anyhow::Result<f64> {
    let mut millis = Vec::new();
    for file in files {
        let ran = tokio::task::block_in_place(|| import(up, tenant, &["--watch"], file))?;
        ensure!(ran["status"] == "completed", "{ran}");
        millis.push(ran["durationMs"].as_u64().context("durationMs")?);
    }
    millis.sort_unstable();
    Ok(millis[millis.len() / 2] as f64 / 1_000.0)
}

/// A file of 100 other leads for each run.
fn small_files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let file = |seed: u64| {
        let path = dir.join(format!("small-{seed}.csv"));
        sample::csv(&mut File::create(&path)?, SMALL, 1, seed)?;
        Ok(path)
    };
    (1_000..1_000 + 2 * RUNS).map(file).collect()
}

pub async fn bench(dir: &Path, report: &mut Report) -> anyhow::Result<()> {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), SandboxOptions::default()).await?;
    let (files, large_file) = (small_files(dir)?, dir.join("large.csv"));
    let (first, second) = files.split_at(files.len() / 2);
    sample::write(&large_file, LARGE)?;
    let up = Up::start(dir.join("fairness"), providers_of(&sandbox)).await?;
    let (large, little) = (up.first()?, up.another("Small")?);

    let alone = steal::once(small(&up, &little, first)).await?;
    let backlog = import(&up, &large, &["--start", "--max-leads", "200000"], &large_file)?;
    let beside = steal::once(small(&up, &little, second)).await?;
    let mut show = up.luci(&["run", "show", "--json", backlog["runId"].as_str().context("runId")?]);
    show.env("LUCI_URL", &large.url).env("LUCI_API_KEY", &large.key);
    let status = json(show)?["run"]["status"].clone();
    ensure!(status == "running", "the backlog was {status} in the end");

    report.add("100 leads alone", "s", &alone, None, Bound::None);
    report.add("100 leads beside another tenant's 200,000", "s", &beside, Some(&alone), Bound::None);
    drop(up);
    sandbox.stop().await;
    std::fs::remove_dir_all(dir.join("fairness"))?;
    Ok(())
}

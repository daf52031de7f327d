//! The run time of a tenant with 100 leads, alone and beside a tenant with 200,000 waiting leads.
//! The real binary, its own servers, sandbox providers that answer at once.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use luci::cli::demo::sample;
use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::{
    report::{Bound, Report},
    steal,
};

const SMALL: u64 = 100;
const LARGE: u64 = 200_000;
/// The small tenant's run times, alone and beside the other.
const RUNS: u64 = 5;

/// `luci up` with the sandbox behind it; ended with its servers when it is dropped.
struct Up {
    child: Child,
    data: PathBuf,
}

/// A tenant's folder and key.
struct Tenant {
    url: String,
    key: String,
}

impl Up {
    async fn start(data: PathBuf, sandbox: &Sandbox) -> anyhow::Result<Self> {
        let mut up = Command::new(env!("CARGO_BIN_EXE_luci"));
        up.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data).env("LUCI_LOG", "error");
        for provider in ["APOLLO", "REALESTATE"] {
            up.env(format!("LUCI_{provider}_URL"), sandbox.url()).env(format!("LUCI_{provider}_KEY"), sandbox.key());
            up.env(format!("LUCI_{provider}_TENANT_PER_DAY"), "10000000");
        }
        let child = up.stdout(Stdio::null()).spawn()?;
        let up = Self { child, data };
        for _ in 0..300 {
            if up.luci(&["env", "--json"]).output()?.status.success() {
                return Ok(up);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("luci up does not come up")
    }

    fn luci(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luci"));
        command.args(args).arg("--data-dir").arg(&self.data).stderr(Stdio::null());
        command
    }

    fn first(&self) -> anyhow::Result<Tenant> {
        let env = json(self.luci(&["env", "--json"]))?;
        let text = |name: &str| env[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Tenant { url: text("LUCI_URL")?, key: text("LUCI_API_KEY")? })
    }

    fn second(&self) -> anyhow::Result<Tenant> {
        let env = json(self.luci(&["env", "--json"]))?;
        let mut create = self.luci(&["tenant", "create", "Small", "--json"]);
        create.env("LUCI_DATABASE_URL", env["LUCI_DATABASE_URL"].as_str().context("no database")?);
        let key = json(create)?["apiKey"].as_str().context("no key")?.to_owned();
        Ok(Tenant { url: self.first()?.url, key })
    }

    fn import(&self, tenant: &Tenant, args: &[&str], file: &Path) -> anyhow::Result<Value> {
        let mut import = self.luci(&["import", "--json"]);
        import.args(args).arg(file).env("LUCI_URL", &tenant.url).env("LUCI_API_KEY", &tenant.key);
        json(import)
    }

    /// The median, in seconds, of runs of a small file each.
    async fn small(&self, tenant: &Tenant, files: &[PathBuf]) -> anyhow::Result<f64> {
        let mut millis = Vec::new();
        for file in files {
            let ran = tokio::task::block_in_place(|| self.import(tenant, &["--watch"], file))?;
            ensure!(ran["status"] == "completed", "{ran}");
            millis.push(ran["durationMs"].as_u64().context("durationMs")?);
        }
        millis.sort_unstable();
        Ok(millis[millis.len() / 2] as f64 / 1_000.0)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // The process may have ended already.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ended = self.child.wait();
    }
}

fn json(mut command: Command) -> anyhow::Result<Value> {
    let out = command.output()?;
    ensure!(out.status.success(), "{command:?} ended with {}", out.status);
    let last = out.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).context("no answer")?;
    Ok(serde_json::from_slice(last)?)
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
    let up = Up::start(dir.join("fairness"), &sandbox).await?;
    let (large, small) = (up.first()?, up.second()?);

    let alone = steal::once(up.small(&small, first)).await?;
    let backlog = up.import(&large, &["--start", "--max-leads", "200000"], &large_file)?;
    let beside = steal::once(up.small(&small, second)).await?;
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
